import { describe, expect, test } from 'vitest';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, checkRequest, serviceRequest } from '../../helpers/registry-rows.ts';

const TTL = { type: 'ttl' };

describe('registering a service', () => {
  test('puts an instance with its checks on this node, in one commit', async () => {
    const { registry, catalog } = await startedRegistry();
    const before = catalog.index;
    const service = serviceRequest('web-1', 'web', { tags: ['v1'] });
    const checks = [checkRequest(undefined, { ...TTL, notes: 'n' })];
    await registry.registerService({ service, checks, replaceChecks: false }, CAUSE);
    expect(catalog.index).toBe(before + 1);
    expect(catalog.instance('lb-1', 'web-1')).toMatchObject({ ...service, node: 'lb-1' });
    expect(catalog.instanceChecks('lb-1', 'web-1')).toMatchObject([
      {
        node: 'lb-1',
        id: 'service:web-1',
        name: "Service 'web' check",
        status: 'critical',
        notes: 'n',
        output: '',
        serviceId: 'web-1',
        serviceName: 'web',
        serviceTags: ['v1'],
        type: 'ttl',
      },
    ]);
  });

  test('numbers checks without an id, counting those with one', async () => {
    const { registry, catalog } = await startedRegistry();
    const checks = [checkRequest(undefined), checkRequest('own', { name: 'mine' }), checkRequest(undefined)];
    await registry.registerService({ service: serviceRequest('w'), checks, replaceChecks: false }, CAUSE);
    expect(catalog.instanceChecks('lb-1', 'w').map(({ id, name }) => [id, name])).toEqual([
      ['own', 'mine'],
      ['service:w:1', "Service 'w' check"],
      ['service:w:3', "Service 'w' check"],
    ]);
  });

  test('with the same request again commits nothing and keeps what the check found', async () => {
    const { registry, catalog } = await startedRegistry();
    const request = {
      service: serviceRequest('web', 'web', { meta: { b: '1', a: '2' } }),
      checks: [checkRequest(undefined, { status: 'critical' })],
      replaceChecks: true,
    };
    await registry.registerService(request, CAUSE);
    await registry.reportCheck('service:web', 'passing', 'fine', CAUSE);
    const before = catalog.index;
    const again = { ...request, service: serviceRequest('web', 'web', { meta: { a: '2', b: '1' } }) };
    await registry.registerService(again, CAUSE);
    expect(catalog.index).toBe(before);
    expect(catalog.check('lb-1', 'service:web')).toMatchObject({ status: 'passing', output: 'fine' });
  });

  test('keeps status and output of a check that is defined otherwise now', async () => {
    const { registry, catalog } = await startedRegistry();
    const register = (notes: string) => {
      const checks = [checkRequest('c', { status: 'passing', notes })];
      return registry.registerService({ service: serviceRequest('w'), checks, replaceChecks: false }, CAUSE);
    };
    await register('old');
    await registry.reportCheck('c', 'warning', 'so so', CAUSE);
    await register('new');
    expect(catalog.check('lb-1', 'c')).toMatchObject({ status: 'warning', output: 'so so', notes: 'new' });
  });

  test('leaves checks that are not named, and lets them follow; replacing them spares maintenance', async () => {
    const { registry, catalog } = await startedRegistry();
    const ids = () => catalog.instanceChecks('lb-1', 'w').map(({ id }) => id);
    const checks = [checkRequest('one'), checkRequest('two')];
    await registry.registerService({ service: serviceRequest('w'), checks, replaceChecks: false }, CAUSE);
    await registry.setServiceMaintenance('w', true, 'because', CAUSE);
    const moved = serviceRequest('w', 'renamed', { tags: ['t'] });
    await registry.registerService({ service: moved, checks: [], replaceChecks: false }, CAUSE);
    expect(ids()).toEqual(['_service_maintenance:w', 'one', 'two']);
    for (const check of catalog.instanceChecks('lb-1', 'w')) {
      expect(check).toMatchObject({ serviceName: 'renamed', serviceTags: ['t'] });
    }
    expect(catalog.serviceChecks('w').value).toEqual([]);
    await registry.registerService(
      { service: moved, checks: [checkRequest('two')], replaceChecks: true },
      CAUSE,
    );
    expect(ids()).toEqual(['_service_maintenance:w', 'two']);
  });

  test('that only differs in case takes the place of the one there is, with its checks', async () => {
    const { registry, catalog } = await startedRegistry();
    const checks = [checkRequest('c', { status: 'passing' })];
    await registry.registerService({ service: serviceRequest('Up'), checks, replaceChecks: false }, CAUSE);
    await registry.registerService(
      { service: serviceRequest('up'), checks: [], replaceChecks: false },
      CAUSE,
    );
    expect(catalog.entries('UP').value.map(({ instance }) => instance.id)).toEqual(['up']);
    expect(catalog.check('lb-1', 'c')).toMatchObject({ serviceId: 'up', status: 'passing' });
  });

  test.each([
    ['without an id', serviceRequest('', 'web'), [], 'Missing service ID'],
    ['without a name', serviceRequest('web', ''), [], 'Missing service name'],
    ['with NUL in its id', serviceRequest('a\0b', 'web'), [], 'NUL'],
    ['in place of the registry', serviceRequest('Consul', 'web'), [], "registry's own"],
    ["with the registry's check", serviceRequest('web'), [checkRequest('SerfHealth')], "registry's own"],
    ['with NUL in the id of a check', serviceRequest('web'), [checkRequest('a\0')], 'NUL'],
  ])('%s is refused and changes nothing', async (_name, service, checks, why) => {
    const { registry, catalog } = await startedRegistry();
    const before = catalog.index;
    await expect(
      registry.registerService({ service, checks, replaceChecks: false }, CAUSE),
    ).rejects.toMatchObject({ code: 'REGISTRY_INVALID', message: expect.stringContaining(why) });
    expect(catalog.index).toBe(before);
  });
});

describe('deregistering a service', () => {
  test('takes its checks along, and says whether it was there', async () => {
    const { registry, catalog } = await startedRegistry();
    const checks = [checkRequest('c')];
    await registry.registerService({ service: serviceRequest('w'), checks, replaceChecks: false }, CAUSE);
    expect(await registry.deregisterService('W', CAUSE)).toBe(true);
    expect(catalog.entries('w').value).toEqual([]);
    expect(catalog.check('lb-1', 'c')).toBeUndefined();
    const before = catalog.index;
    expect(await registry.deregisterService('w', CAUSE)).toBe(false);
    expect(await registry.deregisterService('consul', CAUSE)).toBe(false);
    expect(catalog.index).toBe(before);
    expect(catalog.entries('consul').value).toHaveLength(1);
  });
});

describe('maintenance', () => {
  test('of a service is a critical check of it while it lasts', async () => {
    const { registry, catalog } = await startedRegistry();
    const service = serviceRequest('Web-1', 'web', { tags: ['t'] });
    await registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
    await registry.setServiceMaintenance('web-1', true, 'moving', CAUSE);
    await registry.setServiceMaintenance('web-1', true, 'later', CAUSE);
    expect(catalog.instanceChecks('lb-1', 'web-1')).toMatchObject([
      {
        id: '_service_maintenance:Web-1',
        name: 'Service Maintenance Mode',
        status: 'critical',
        notes: 'moving',
        type: 'maintenance',
        serviceId: 'Web-1',
        serviceName: 'web',
        serviceTags: ['t'],
      },
    ]);
    await registry.setServiceMaintenance('web-1', false, '', CAUSE);
    expect(catalog.instanceChecks('lb-1', 'web-1')).toEqual([]);
    const before = catalog.index;
    await registry.setServiceMaintenance('web-1', false, '', CAUSE);
    expect(catalog.index).toBe(before);
  });

  test('of the node counts for all on it', async () => {
    const { registry, catalog } = await startedRegistry();
    await registry.setNodeMaintenance(true, '', CAUSE);
    expect(catalog.check('lb-1', '_node_maintenance')).toMatchObject({
      name: 'Node Maintenance Mode',
      notes: expect.stringMatching(/no reason was provided/),
      serviceId: '',
    });
    expect(catalog.entries('consul').value[0]?.checks).toHaveLength(2);
    await registry.setNodeMaintenance(false, '', CAUSE);
    expect(catalog.check('lb-1', '_node_maintenance')).toBeUndefined();
  });

  test.each(['nope', 'consul'])('of %s is not found', async (id) => {
    const { registry } = await startedRegistry();
    await expect(registry.setServiceMaintenance(id, true, '', CAUSE)).rejects.toMatchObject({
      code: 'REGISTRY_NOT_FOUND',
      message: `No service registered with ID "${id}"`,
    });
  });
});
