import { afterEach, describe, expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/log.ts';
import { LocalChecks, type LocalChecksOptions } from '../../../src/health/local-checks.ts';
import type { CheckRequest } from '../../../src/registry/commands.ts';
import type { CheckDefinition, CheckKind, CheckStatus, Committed } from '../../../src/registry/model.ts';
import { Registry } from '../../../src/registry/registry.ts';
import type { RegistryStore } from '../../../src/registry/store.ts';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

const CAUSE = { by: 'test', what: 'test' };
const ALIAS: CheckKind = { kind: 'alias', node: '', serviceId: 'db' };
const TTL: Partial<CheckDefinition> = { kind: { kind: 'ttl' }, ttl: 10_000 };

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function setUp(
  options: Partial<LocalChecksOptions> & { store?: RegistryStore; clock?: FakeClock } = {},
) {
  const { store = createMemoryStore(), clock = new FakeClock() } = options;
  const registry = new Registry({
    store,
    clock,
    log: silentLog,
    node: { name: 'n1', address: '127.0.0.1', datacenter: 'dc1', meta: {} },
  });
  await registry.start();
  stops.push(() => registry.stop(clock.now()));
  const commits: Committed[] = [];
  store.onCommitted((committed) => commits.push(committed));
  const checks = new LocalChecks({ registry, scriptChecks: 'off', random: () => 0.5, ...options, clock });
  await checks.start();
  stops.push(() => checks.stop(clock.now()));

  const check = (id: string) => {
    const row = registry.catalog.check('n1', id);
    return row && [row.status, registry.freshOutput(row)];
  };
  return { store, clock, registry, checks, commits, check };
}

function checkRequest(id: string, definition: Partial<CheckDefinition>, status?: CheckStatus): CheckRequest {
  return {
    id,
    name: id,
    notes: '',
    status,
    type: definition.kind?.kind ?? '',
    definition: {
      kind: { kind: 'ttl' },
      interval: 0,
      timeout: 0,
      ttl: 0,
      successBeforePassing: 0,
      failuresBeforeCritical: 0,
      deregisterCriticalServiceAfter: 0,
      outputMaxSize: 4096,
      ...definition,
    },
  };
}

function register(
  registry: Registry,
  id: string,
  checks: readonly CheckRequest[] = [],
  replaceChecks = false,
) {
  const service = {
    id,
    service: id,
    tags: [],
    address: '',
    port: 80,
    taggedAddresses: null,
    meta: null,
    weights: { passing: 1, warning: 1 },
    enableTagOverride: false,
    kind: '',
  };
  return registry.registerService({ service, checks, replaceChecks }, CAUSE);
}

describe('TTL checks', () => {
  test('are told of, and expire when nobody tells', async () => {
    const { clock, registry, checks, check, commits } = await setUp();
    await register(registry, 'web', [checkRequest('c', TTL)]);
    expect(check('c')).toEqual(['critical', '']);
    expect(await checks.ttlUpdate('c', 'passing', 'fine')).toBe(true);
    expect(check('c')).toEqual(['passing', 'fine']);
    await clock.advanceAsync(9_999);
    expect(await checks.ttlUpdate('c', 'warning', 'meh')).toBe(true);
    await clock.advanceAsync(9_999);
    expect(check('c')).toEqual(['warning', 'meh']);
    await clock.advanceAsync(1);
    expect(check('c')).toEqual(['critical', 'TTL expired (last output before timeout follows): meh']);
    expect(commits.at(-1)?.cause).toEqual({ by: 'check', what: 'c' });
  });

  test('of others are none of ours', async () => {
    const { registry, checks } = await setUp();
    await register(registry, 'web', [
      checkRequest('tcp', { kind: { kind: 'tcp', address: 'x:1' }, interval: 1e6 }),
    ]);
    expect(await checks.ttlUpdate('nope', 'passing', '')).toBe(false);
    expect(await checks.ttlUpdate('tcp', 'passing', '')).toBe(false);
    await register(registry, 'ttl', [checkRequest('c', TTL)]);
    await registry.deregisterService('ttl', CAUSE);
    expect(await checks.ttlUpdate('c', 'passing', '')).toBe(false);
  });

  test('keep their status over a restart and get a full TTL', async () => {
    const store = createMemoryStore();
    const clock = new FakeClock();
    const before = await setUp({ store, clock });
    await register(before.registry, 'web', [checkRequest('c', TTL)]);
    await before.checks.ttlUpdate('c', 'passing', 'fine');
    await clock.advanceAsync(9_000);
    await before.checks.stop(clock.now());
    await clock.advanceAsync(60_000);
    expect(before.check('c')).toEqual(['passing', 'fine']);

    const checks = new LocalChecks({ registry: before.registry, scriptChecks: 'off', clock });
    await checks.start();
    await clock.advanceAsync(9_999);
    expect(before.check('c')?.[0]).toBe('passing');
    await clock.advanceAsync(1);
    expect(before.check('c')).toEqual(['critical', 'TTL expired']);
    await checks.stop(clock.now());
  });

  test('registered anew with another definition restart their timer and keep their status', async () => {
    const { clock, registry, checks, check } = await setUp();
    await register(registry, 'web', [checkRequest('c', TTL)]);
    await checks.ttlUpdate('c', 'passing', 'fine');
    await clock.advanceAsync(9_000);
    await register(registry, 'web', [checkRequest('c', { ...TTL, ttl: 5_000 }, 'critical')]);
    expect(check('c')).toEqual(['passing', 'fine']);
    await clock.advanceAsync(4_999);
    expect(check('c')?.[0]).toBe('passing');
    await clock.advanceAsync(1);
    expect(check('c')?.[0]).toBe('critical');
  });

  test('restart on request; a commit that does not concern the definition disturbs nothing', async () => {
    const { clock, registry, checks, check } = await setUp();
    await register(registry, 'web', [checkRequest('c', TTL, 'passing'), checkRequest('d', TTL, 'passing')]);
    await clock.advanceAsync(9_000);
    await registry.setServiceMaintenance('web', true, 'test', CAUSE);
    checks.restart(['c', 'no such check']);
    await clock.advanceAsync(1_000);
    expect([check('c')?.[0], check('d')?.[0]]).toEqual(['passing', 'critical']);
    await clock.advanceAsync(9_000);
    expect(check('c')?.[0]).toBe('critical');
  });

  test("a sign of life that cannot be taken is the caller's to know; an expiry is tried again", async () => {
    const store = createMemoryStore();
    let broken = false;
    const failing: RegistryStore = {
      ...store,
      commitReports: (reports, cause) =>
        broken ? Promise.reject(new VaneError('STORE_FAILED', 'busy')) : store.commitReports(reports, cause),
    };
    const { clock, registry, checks, check } = await setUp({ store: failing });
    await register(registry, 'web', [checkRequest('c', TTL, 'passing')]);
    broken = true;
    await clock.advanceAsync(15_000);
    expect(check('c')?.[0]).toBe('passing');
    broken = false;
    await clock.advanceAsync(1_000);
    expect(check('c')).toEqual(['critical', 'TTL expired']);
    broken = true;
    await expect(checks.ttlUpdate('c', 'passing', '')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(check('c')?.[0]).toBe('critical');
  });

  test('a sign of life overtakes an expiry that still waits to be taken', async () => {
    const store = createMemoryStore();
    let broken = false;
    const failing: RegistryStore = {
      ...store,
      commitReports: (reports, cause) =>
        broken ? Promise.reject(new VaneError('STORE_FAILED', 'busy')) : store.commitReports(reports, cause),
    };
    const { clock, registry, checks, check } = await setUp({ store: failing });
    await register(registry, 'web', [checkRequest('c', TTL, 'passing')]);
    broken = true;
    await clock.advanceAsync(10_500);
    broken = false;
    await checks.ttlUpdate('c', 'warning', 'alive');
    await clock.advanceAsync(5_000);
    expect(check('c')).toEqual(['warning', 'alive']);
  });
});

describe('alias checks', () => {
  test('follow their target from missing to healthy to gone', async () => {
    const { clock, registry, checks, check } = await setUp();
    await register(registry, 'web', [checkRequest('a', { kind: ALIAS })]);
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['critical', 'Service db could not be found on node ']);
    await register(registry, 'db');
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['passing', 'No checks found.']);
    await register(registry, 'db', [checkRequest('c', TTL)]);
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['critical', 'Aliased check "c" failing: ']);
    await checks.ttlUpdate('c', 'warning', 'x');
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['warning', 'Aliased check "c" failing: x']);
    await checks.ttlUpdate('c', 'passing', '');
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['passing', 'All checks passing.']);
    await registry.setNodeMaintenance(true, 'work', CAUSE);
    await clock.advanceAsync(0);
    expect(check('a')?.[0]).toBe('critical');
    await registry.setNodeMaintenance(false, '', CAUSE);
    await registry.deregisterService('db', CAUSE);
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['critical', 'Service db could not be found on node ']);
  });

  test('of the node does not follow itself', async () => {
    const { clock, registry, check } = await setUp();
    await register(registry, 'db');
    await registry.registerCheck({ ...checkRequest('a', { kind: ALIAS }), serviceId: '' }, CAUSE);
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['passing', 'No checks found.']);
  });

  test('of another node follows that node', async () => {
    const { clock, registry, check } = await setUp();
    const far: CheckKind = { kind: 'alias', node: 'far', serviceId: 'db' };
    await register(registry, 'web', [checkRequest('a', { kind: far })]);
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['critical', 'Service db could not be found on node far']);
    await registry.catalogRegister(
      {
        node: {
          id: '',
          node: 'far',
          address: '10.0.0.9',
          datacenter: 'dc1',
          taggedAddresses: null,
          meta: null,
          skipUpdate: false,
        },
        service: {
          id: 'db',
          service: 'db',
          tags: [],
          address: '',
          port: 1,
          taggedAddresses: null,
          meta: null,
          weights: { passing: 1, warning: 1 },
          enableTagOverride: false,
          kind: '',
        },
        checks: [],
      },
      CAUSE,
    );
    await clock.advanceAsync(0);
    expect(check('a')).toEqual(['passing', 'No checks found.']);
  });

  test('do not commit what they have said already', async () => {
    const { clock, registry, commits } = await setUp();
    await register(registry, 'db');
    await register(registry, 'web', [checkRequest('a', { kind: ALIAS })]);
    await clock.advanceAsync(0);
    const before = commits.length;
    await register(registry, 'other');
    await clock.advanceAsync(1_000);
    expect(commits.slice(before).map(({ cause }) => cause.by)).toEqual(['test']);
  });
});

describe('the reaper', () => {
  const REAPED = { ...TTL, ttl: 1_000, deregisterCriticalServiceAfter: 90_000 };

  test('removes an instance that has been critical for too long, and says why', async () => {
    const { clock, registry, commits } = await setUp();
    await register(registry, 'web', [checkRequest('c', REAPED)]);
    // Critical from 1s on; looked at every 30s; due after 91s.
    await clock.advanceAsync(119_999);
    expect(registry.catalog.instance('n1', 'web')).toBeDefined();
    await clock.advanceAsync(1);
    expect(registry.catalog.instance('n1', 'web')).toBeUndefined();
    expect(commits.at(-1)?.cause).toEqual({ by: 'reaper', what: 'critical for 1m59s (check c)' });
    await clock.advanceAsync(300_000);
    expect(commits.at(-1)?.cause.by).toBe('reaper');
  });

  test('never before a minute, unless told to', async () => {
    const short = { ...REAPED, deregisterCriticalServiceAfter: 1 };
    const { clock, registry } = await setUp();
    await register(registry, 'web', [checkRequest('c', short)]);
    await clock.advanceAsync(60_000);
    expect(registry.catalog.instance('n1', 'web')).toBeDefined();
    await clock.advanceAsync(30_000);
    expect(registry.catalog.instance('n1', 'web')).toBeUndefined();

    const quick = await setUp({ reapFloor: 0, reapTick: 100 });
    await register(quick.registry, 'web', [checkRequest('c', short)]);
    await quick.clock.advanceAsync(1_100);
    expect(quick.registry.catalog.instance('n1', 'web')).toBeUndefined();
  });

  test('counts from the last time it became critical, not from registration', async () => {
    const { clock, registry, checks } = await setUp();
    await register(registry, 'web', [checkRequest('c', REAPED), checkRequest('never', { ...TTL, ttl: 1e9 })]);
    for (let i = 0; i < 10; i++) {
      await clock.advanceAsync(60_000);
      await checks.ttlUpdate('c', 'passing', '');
    }
    expect(registry.catalog.instance('n1', 'web')).toBeDefined();
    await clock.advanceAsync(150_000);
    expect(registry.catalog.instance('n1', 'web')).toBeUndefined();
  });

  test('leaves checks of the node alone', async () => {
    const { clock, registry } = await setUp();
    await registry.registerCheck({ ...checkRequest('c', REAPED), serviceId: '' }, CAUSE);
    await clock.advanceAsync(300_000);
    expect(registry.catalog.check('n1', 'c')?.status).toBe('critical');
  });
});

describe('script checks', () => {
  const SCRIPT: Partial<CheckDefinition> = {
    kind: { kind: 'script', args: ['/bin/true'], shell: '' },
    interval: 10,
    timeout: 1_000,
  };

  test('are not run when switched off, and say so', async () => {
    const { clock, registry, check } = await setUp({ scriptChecks: 'off', minInterval: 10 });
    await register(registry, 'web', [checkRequest('s', SCRIPT, 'passing')]);
    await clock.advanceAsync(1_000);
    expect(check('s')).toEqual(['critical', 'Script checks are switched off on this node']);
  });
});

test('stopping leaves no timer behind, and start afresh works', async () => {
  const { clock, registry, checks } = await setUp();
  await register(registry, 'web', [
    checkRequest('ttl', TTL),
    checkRequest('tcp', { kind: { kind: 'tcp', address: '127.0.0.1:1' }, interval: 60_000 }),
    checkRequest('alias', { kind: ALIAS }),
  ]);
  await checks.stop(clock.now());
  await registry.stop(clock.now());
  expect(clock.pending).toBe(0);
});
