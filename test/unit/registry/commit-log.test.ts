import { describe, expect, test } from 'vitest';
import { startedRegistry } from '../../helpers/registry.ts';
import { checkRequest, nodeRow, serviceRequest } from '../../helpers/registry-rows.ts';

const api = { by: 'api 127.0.0.1:51122', what: 'agent/service/register' };
const gone = { by: 'reaper', what: 'critical for 1m30s' };

describe('the log', () => {
  test('has a line for each thing that comes, changes its status and goes, with who asked for it', async () => {
    const { registry, lines } = await startedRegistry();
    const request = {
      service: serviceRequest('web-1', 'web', { address: '10.0.0.9' }),
      checks: [checkRequest('c')],
      replaceChecks: false,
    };
    const told = () => lines.splice(0).map(({ level, message, fields }) => ({ level, message, ...fields }));
    const instance = { service: 'web', id: 'web-1', node: 'lb-1' };

    await registry.registerService(request, api);
    expect(told()).toEqual([
      { level: 'info', message: 'service registered', ...instance, address: '10.0.0.9', port: 80, ...api },
      { level: 'info', message: 'check registered', ...instance, check: 'c', status: 'critical', ...api },
    ]);
    await registry.registerService({ ...request, service: { ...request.service, port: 81 } }, api);
    expect(told()).toMatchObject([{ message: 'service updated', port: 81 }]);
    await registry.reportCheck('c', 'passing', 'x'.repeat(5000), api);
    expect(told()).toEqual([
      {
        level: 'info',
        message: 'check status changed',
        ...instance,
        check: 'c',
        from: 'critical',
        to: 'passing',
        output: 'x'.repeat(200),
        ...api,
      },
    ]);
    await registry.reportCheck('c', 'warning', 'slow', api);
    expect(told()).toMatchObject([
      { level: 'warn', message: 'check warning: instance still gets traffic', to: 'warning', output: 'slow' },
    ]);
    await registry.reportCheck('c', 'warning', 'slower', api);
    await registry.registerService({ ...request, service: { ...request.service, port: 81 } }, api);
    expect(told()).toEqual([]);
    await registry.deregisterService('web-1', gone);
    expect(told()).toEqual([
      {
        level: 'info',
        message: 'service deregistered',
        ...instance,
        address: '10.0.0.9',
        port: 81,
        ...gone,
      },
    ]);
  });

  test('tells of a check that goes alone, and of a node with what was on it', async () => {
    const { registry, lines } = await startedRegistry();
    const node = { ...nodeRow('ext'), skipUpdate: false };
    await registry.registerCheck({ ...checkRequest('disk'), serviceId: '' }, api);
    await registry.catalogRegister({ node, service: serviceRequest('e'), checks: [] }, api);
    lines.splice(0);
    await registry.deregisterCheck('disk', gone);
    await registry.catalogDeregister({ node: 'ext', serviceId: undefined, checkId: undefined }, gone);
    expect(
      lines.map(({ message, fields }) => [message, fields.check ?? fields.service ?? fields.node]),
    ).toEqual([
      ['check deregistered', 'disk'],
      ['service deregistered', 'e'],
      ['node deregistered', 'ext'],
    ]);
    expect(lines.every(({ fields }) => fields.by === 'reaper')).toBe(true);
  });
});
