import { describe, expect, test } from 'vitest';
import type { CheckRequest, ServiceRequest } from '../../../../src/registry/commands.ts';
import { type Definitions, homeless } from '../../../../src/registry/sources/definitions.ts';
import { applyDefinitions } from '../../../../src/registry/sources/file-source.ts';
import { startedRegistry } from '../../../helpers/registry.ts';
import { serviceRequest } from '../../../helpers/registry-rows.ts';

const API = { by: 'api 127.0.0.1:1', what: 'agent/service/register' };

function service(id: string, port = 80): ServiceRequest {
  return serviceRequest(id, id, { port });
}

function ttl(id: string | undefined): CheckRequest {
  return {
    id,
    name: undefined,
    notes: '',
    status: undefined,
    type: 'ttl',
    definition: {
      kind: { kind: 'ttl' },
      interval: 0,
      timeout: 0,
      ttl: 60_000,
      successBeforePassing: 0,
      failuresBeforeCritical: 0,
      deregisterCriticalServiceAfter: 0,
      outputMaxSize: 0,
    },
  };
}

const AT = { line: 1, column: 1, path: 'check' };

function definitions(
  services: readonly (readonly [ServiceRequest, ...CheckRequest[]])[],
  checks: readonly { readonly id: string; readonly serviceId: string }[] = [],
): Definitions {
  return {
    services: services.map(([request, ...own]) => ({ file: 'd/web.json', service: request, checks: own })),
    checks: checks.map((check) => ({
      file: 'd/checks.json',
      check: { ...ttl(undefined), ...check },
      at: AT,
    })),
  };
}

async function setUp() {
  const started = await startedRegistry();
  const { catalog } = started;
  return {
    ...started,
    ids: () => catalog.node('lb-1').value?.instances.map(({ id }) => id) ?? [],
    checkIds: () => catalog.nodeChecks('lb-1').value.map(({ id }) => id),
  };
}

describe('applying definitions', () => {
  test('registers what is new, and says in the log which file it is from', async () => {
    const { registry, ids, checkIds, lines } = await setUp();
    await applyDefinitions(
      registry,
      definitions([[service('web'), ttl(undefined), ttl(undefined)]], [{ id: 'disk', serviceId: '' }]),
    );
    expect(ids()).toEqual(['consul', 'web']);
    expect(checkIds()).toEqual(['disk', 'serfHealth', 'service:web:1', 'service:web:2']);
    expect(lines.map(({ message, fields }) => [message, fields.by, fields.what])).toEqual([
      ['service registered', 'file d/web.json', 'definition'],
      ['check registered', 'file d/web.json', 'definition'],
      ['check registered', 'file d/web.json', 'definition'],
      ['check registered', 'file d/checks.json', 'definition'],
    ]);
  });

  test('a second time commits nothing, and keeps what checks have found', async () => {
    const { registry, catalog } = await setUp();
    const defined = definitions([[service('web'), ttl(undefined)]]);
    await applyDefinitions(registry, defined);
    await registry.reportCheck('service:web', 'passing', 'fine', API);
    const { index } = catalog;
    await applyDefinitions(registry, defined);
    expect(catalog.index).toBe(index);
    expect(catalog.check('lb-1', 'service:web')).toMatchObject({ status: 'passing', output: 'fine' });
  });

  test('takes what has changed, keeping the state of its checks, and removes what is gone', async () => {
    const { registry, catalog, ids, checkIds, lines } = await setUp();
    await applyDefinitions(
      registry,
      definitions(
        [[service('web'), ttl('a'), ttl('b')], [service('old')]],
        [
          { id: 'disk', serviceId: '' },
          { id: 'load', serviceId: 'web' },
        ],
      ),
    );
    await registry.reportCheck('a', 'warning', 'slow', API);
    lines.splice(0);
    await applyDefinitions(registry, definitions([[service('web', 81), ttl('a')]]));
    expect(ids()).toEqual(['consul', 'web']);
    expect(checkIds()).toEqual(['a', 'serfHealth']);
    expect(catalog.instance('lb-1', 'web')?.port).toBe(81);
    expect(catalog.check('lb-1', 'a')).toMatchObject({ status: 'warning', output: 'slow' });
    expect(lines.map(({ message, fields }) => [message, fields.by, fields.what])).toEqual([
      ['service updated', 'file d/web.json', 'definition'],
      ['service deregistered', 'file d/web.json', 'definition removed'],
      ['check deregistered', 'file d/web.json', 'definition removed'],
      ['check deregistered', 'file d/checks.json', 'definition removed'],
      ['check deregistered', 'file d/checks.json', 'definition removed'],
    ]);
  });

  test('of many takes them in few turns, and tells when one cannot be registered', async () => {
    const { registry, ids } = await setUp();
    const many = Array.from({ length: 1200 }, (_, i) => [service(`s${i}`)] as [ServiceRequest]);
    await applyDefinitions(registry, definitions(many));
    expect(ids()).toHaveLength(1201);
    const full = await startedRegistry({ maxRows: 4 });
    const two = definitions([[service('a')], [service('b')]]);
    await expect(applyDefinitions(full.registry, two)).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
  });

  test('leaves alone what others have registered', async () => {
    const { registry, ids, checkIds } = await setUp();
    await registry.registerService(
      { service: service('api'), checks: [ttl(undefined)], replaceChecks: false },
      API,
    );
    await applyDefinitions(registry, definitions([[service('web')]]));
    await registry.registerCheck({ ...ttl('of the API'), serviceId: 'web' }, API);
    await applyDefinitions(registry, definitions([[service('web')]]));
    expect(checkIds()).toEqual(['of the API', 'serfHealth', 'service:api']);
    await applyDefinitions(registry, definitions([]));
    expect(ids()).toEqual(['api', 'consul']);
  });

  test('a file wins over the API, the API over the file until the next time', async () => {
    const { registry, catalog, ids } = await setUp();
    const byApi = (port: number) =>
      registry.registerService({ service: service('web', port), checks: [], replaceChecks: false }, API);
    const port = () => catalog.instance('lb-1', 'web')?.port;
    await byApi(1);
    await applyDefinitions(registry, definitions([[service('web', 2)]]));
    expect(port()).toBe(2);
    await byApi(3);
    expect(port()).toBe(3);
    await applyDefinitions(registry, definitions([[service('web', 2)]]));
    expect(port()).toBe(2);
    await byApi(3);
    await applyDefinitions(registry, definitions([]));
    expect(ids()).toEqual(['consul', 'web']);
  });

  test('what was deregistered over the API comes back the next time', async () => {
    const { registry, ids } = await setUp();
    await applyDefinitions(registry, definitions([[service('web')]]));
    await registry.deregisterService('web', API);
    expect(ids()).toEqual(['consul']);
    await applyDefinitions(registry, definitions([[service('web')]]));
    expect(ids()).toEqual(['consul', 'web']);
  });
});

test('a check needs a service that is defined, or that the API has registered', async () => {
  const { registry, catalog } = await setUp();
  const checks = ['', 'defined', 'api', 'none'].map((serviceId) => ({ id: `c-${serviceId}`, serviceId }));
  await registry.registerService({ service: service('api'), checks: [], replaceChecks: false }, API);
  const missing = () =>
    homeless(definitions([[service('defined')]], checks), catalog).map(({ check }) => check.serviceId);
  expect(missing()).toEqual(['none']);
  await applyDefinitions(registry, definitions([[service('none')]]));
  expect(missing(), 'its definition is gone, and it goes with it').toEqual(['none']);
});
