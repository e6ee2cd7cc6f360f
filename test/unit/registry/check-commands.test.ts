import { describe, expect, test } from 'vitest';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, checkRequest, serviceRequest } from '../../helpers/registry-rows.ts';

const MINUTE = 60_000;

/** A registry with the service `web` and its check `c`, which passes with the output `first`. */
async function withCheck(options: Parameters<typeof startedRegistry>[0] = {}) {
  const started = await startedRegistry(options);
  const request = { service: serviceRequest('web'), checks: [checkRequest('c')], replaceChecks: false };
  await started.registry.registerService(request, CAUSE);
  await started.registry.reportCheck('c', 'passing', 'first', CAUSE);
  const check = () => {
    const found = started.catalog.check('lb-1', 'c');
    if (!found) throw new Error('the check is gone');
    return found;
  };
  return { ...started, check };
}

describe('registering a check', () => {
  test('takes the name for an id, and belongs to the node or to a service', async () => {
    const { registry, catalog } = await withCheck();
    await registry.registerCheck({ ...checkRequest(undefined, { name: 'disk' }), serviceId: '' }, CAUSE);
    await registry.registerCheck({ ...checkRequest('x', { status: 'warning' }), serviceId: 'WEB' }, CAUSE);
    expect(catalog.check('lb-1', 'disk')).toMatchObject({ name: 'disk', serviceId: '', status: 'critical' });
    expect(catalog.check('lb-1', 'x')).toMatchObject({ name: 'x', serviceName: 'web', status: 'warning' });
  });

  test.each([
    [{ ...checkRequest('c2'), serviceId: 'nope' }, 'REGISTRY_NOT_FOUND', 'ServiceID "nope" does not exist'],
    [
      { ...checkRequest('c2'), serviceId: 'consul' },
      'REGISTRY_NOT_FOUND',
      'ServiceID "consul" does not exist',
    ],
    [{ ...checkRequest(undefined), serviceId: '' }, 'REGISTRY_INVALID', 'Missing check ID'],
    [{ ...checkRequest('serfHealth'), serviceId: '' }, 'REGISTRY_INVALID', "registry's own"],
  ])('%j is refused', async (request, code, why) => {
    const { registry } = await withCheck();
    await expect(registry.registerCheck(request, CAUSE)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(why),
    });
  });

  test('deregistering says whether it was there, and never takes the own one', async () => {
    const { registry, catalog } = await withCheck();
    expect(await registry.deregisterCheck('C', CAUSE)).toBe(true);
    expect(await registry.deregisterCheck('c', CAUSE)).toBe(false);
    expect(await registry.deregisterCheck('serfHealth', CAUSE)).toBe(false);
    expect(catalog.check('lb-1', 'serfHealth')).toBeDefined();
  });
});

describe('what a check finds', () => {
  test('is committed at once when its status changes', async () => {
    const { registry, check } = await withCheck();
    await registry.reportCheck('C', 'critical', 'down', CAUSE);
    expect(check()).toMatchObject({ status: 'critical', output: 'down' });
  });

  test('wakes nobody while only the output changes, and yet can be read', async () => {
    const { registry, catalog, check } = await withCheck();
    const before = catalog.index;
    await registry.reportCheck('c', 'passing', 'second', CAUSE);
    await registry.reportCheck('c', 'passing', 'third', CAUSE);
    expect(catalog.index).toBe(before);
    expect(check().output).toBe('first');
    expect(registry.freshOutput(check())).toBe('third');
    const elsewhere = { ...check(), node: 'lb-2' };
    expect(registry.freshOutput(elsewhere)).toBe('first');
  });

  test('is committed later, together with all other outputs', async () => {
    const { registry, catalog, clock, check } = await withCheck();
    await registry.registerCheck({ ...checkRequest('d', { status: 'passing' }), serviceId: '' }, CAUSE);
    const before = catalog.index;
    await registry.reportCheck('c', 'passing', 'second', CAUSE);
    await clock.advanceAsync(4 * MINUTE);
    await registry.reportCheck('d', 'passing', 'of d', CAUSE);
    await clock.advanceAsync(MINUTE - 1);
    expect(catalog.index).toBe(before);
    await clock.advanceAsync(1);
    expect(catalog.index).toBe(before + 1);
    expect([check().output, catalog.check('lb-1', 'd')?.output]).toEqual(['second', 'of d']);
    expect(clock.pending).toBe(0);
  });

  test.each([
    [0, 2.5],
    [0.999, 7.5],
  ])('with chance at %d waits %d minutes', async (chance, minutes) => {
    const { registry, clock, check } = await withCheck({ random: () => chance });
    await registry.reportCheck('c', 'passing', 'second', CAUSE);
    await clock.advanceAsync(minutes * MINUTE - 1000);
    expect(check().output).toBe('first');
    await clock.advanceAsync(1000);
    expect(check().output).toBe('second');
  });

  test('is not committed late when it has been overtaken', async () => {
    const { registry, catalog, clock, check } = await withCheck();
    await registry.reportCheck('c', 'passing', 'second', CAUSE);
    await registry.reportCheck('c', 'warning', 'third', CAUSE);
    await registry.reportCheck('c', 'warning', 'fourth', CAUSE);
    await registry.reportCheck('c', 'warning', 'third', CAUSE);
    const { index } = catalog;
    expect(registry.freshOutput(check())).toBe('third');
    await clock.advanceAsync(8 * MINUTE);
    expect(catalog.index).toBe(index);
  });

  test('goes with the check', async () => {
    const { registry, catalog, clock } = await withCheck();
    await registry.reportCheck('c', 'passing', 'second', CAUSE);
    await registry.deregisterService('web', CAUSE);
    await registry.registerCheck({ ...checkRequest('c', { status: 'passing' }), serviceId: '' }, CAUSE);
    const { index } = catalog;
    await clock.advanceAsync(8 * MINUTE);
    expect(catalog.index).toBe(index);
    expect(catalog.check('lb-1', 'c')?.output).toBe('');
  });

  test('is committed at once with an update interval of 0', async () => {
    const { registry, check, clock } = await withCheck({ checkUpdateInterval: 0 });
    await registry.reportCheck('c', 'passing', 'second', CAUSE);
    expect(check().output).toBe('second');
    expect(clock.pending).toBe(0);
  });

  test('is committed by a stop, at the latest', async () => {
    const { registry, check, clock, store } = await withCheck();
    await registry.reportCheck('c', 'passing', 'second', CAUSE);
    await registry.stop(1000);
    expect(check().output).toBe('second');
    expect((await store.load()).checks.map(({ output }) => output)).toContain('second');
    expect(clock.pending).toBe(0);
  });

  test.each(['nope', 'serfHealth'])('is refused for %s', async (id) => {
    const { registry } = await withCheck();
    await expect(registry.reportCheck(id, 'passing', '', CAUSE)).rejects.toMatchObject({
      code: 'REGISTRY_NOT_FOUND',
    });
  });
});
