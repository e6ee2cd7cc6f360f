import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/core/log.ts';
import { LocalChecks, type LocalChecksOptions } from '../../src/health/local-checks.ts';
import { Slots } from '../../src/health/slots.ts';
import type { CheckDefinition, CheckKind } from '../../src/registry/model.ts';
import { Registry } from '../../src/registry/registry.ts';
import { createMemoryStore } from '../../src/registry/stores/memory.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const CAUSE = { by: 'test', what: 'test' };

let site: Server;
let url = '';
let asked = 0;
let status = 200;
let body = '';
let clock: FakeClock;
let registry: Registry;
/** Only one: whoever gets it knows that no check is under way. */
let slots: Slots;
const running: LocalChecks[] = [];

beforeEach(async () => {
  asked = 0;
  status = 200;
  body = 'fine';
  site = createServer((_request, response) => {
    asked += 1;
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
  clock = new FakeClock();
  slots = new Slots(1);
  registry = new Registry({
    store: createMemoryStore(),
    clock,
    log: silentLog,
    node: { name: 'n1', address: '127.0.0.1', datacenter: 'dc1', meta: {} },
  });
  await registry.start();
});

afterEach(async () => {
  for (const checks of running.splice(0)) await checks.stop(clock.now() + 1000);
  await registry.stop(clock.now());
  await new Promise((resolve) => site.close(resolve));
});

async function startChecks(options: Partial<LocalChecksOptions> = {}): Promise<LocalChecks> {
  const checks = new LocalChecks({
    registry,
    scriptChecks: 'api',
    clock,
    slots,
    random: () => 0.5,
    ...options,
  });
  running.push(checks);
  await checks.start();
  return checks;
}

function register(kind: CheckKind, definition: Partial<CheckDefinition> = {}, file?: string) {
  const service = {
    id: 'web',
    service: 'web',
    tags: [],
    address: '',
    port: 80,
    taggedAddresses: null,
    meta: null,
    weights: { passing: 1, warning: 1 },
    enableTagOverride: false,
    kind: '',
  };
  const check = {
    id: 'c',
    name: 'c',
    notes: '',
    status: undefined,
    type: kind.kind,
    file,
    definition: {
      kind,
      interval: 10_000,
      timeout: 5_000,
      ttl: 0,
      successBeforePassing: 0,
      failuresBeforeCritical: 0,
      deregisterCriticalServiceAfter: 0,
      outputMaxSize: 4096,
      ...definition,
    },
  };
  return registry.registerService({ service, checks: [check], replaceChecks: false }, CAUSE);
}

function http(): CheckKind {
  return { kind: 'http', url, method: 'GET', header: {}, body: '', tlsSkipVerify: false };
}

function current() {
  const row = registry.catalog.check('n1', 'c');
  return row && [row.status, registry.freshOutput(row)];
}

/** Lets `ms` pass and waits until the site has been asked `times` in all, and no check is under way. */
async function pass(ms: number, times: number): Promise<void> {
  await clock.advanceAsync(ms);
  await eventually(() => expect(asked).toBe(times));
  await new Promise<void>((resolve) => {
    slots.take((release) => {
      release();
      resolve();
    });
  });
}

async function found(expected: unknown): Promise<void> {
  await eventually(() => expect(current()).toEqual(expected));
}

describe('LocalChecks', () => {
  test('runs an interval check from within its first interval on, until its service goes', async () => {
    await startChecks();
    await register(http());
    await pass(4_999, 0);
    expect(current()).toEqual(['critical', '']);
    await pass(1, 1);
    await found(['passing', `HTTP GET ${url}: 200 OK Output: fine`]);
    status = 429;
    body = 'slow down';
    await pass(10_000, 2);
    await found(['warning', `HTTP GET ${url}: 429 Too Many Requests Output: slow down`]);
    await registry.deregisterService('web', CAUSE);
    await pass(60_000, 2);
  });

  test('looks within a second at what it finds in the registry when it starts', async () => {
    await register(http());
    await startChecks();
    await pass(500, 1);
    await found(['passing', `HTTP GET ${url}: 200 OK Output: fine`]);
  });

  test('keeps status and output while the threshold is not reached', async () => {
    await startChecks();
    await register(http(), { failuresBeforeCritical: 2 });
    await pass(5_000, 1);
    const fine = ['passing', `HTTP GET ${url}: 200 OK Output: fine`];
    await found(fine);
    status = 500;
    body = 'bad';
    await pass(10_000, 2);
    expect(current()).toEqual(fine);
    await pass(10_000, 3);
    await found(['critical', `HTTP GET ${url}: 500 Internal Server Error Output: bad`]);
  });

  test('a changed definition starts anew and keeps what was found', async () => {
    await startChecks();
    await register(http());
    await pass(5_000, 1);
    await found(['passing', `HTTP GET ${url}: 200 OK Output: fine`]);
    await register(http(), { interval: 40_000 });
    expect(current()?.[0]).toBe('passing');
    await pass(19_999, 1);
    await pass(1, 2);
  });

  test('intervals below a second are raised to it', async () => {
    await startChecks({ random: () => 0 });
    await register(http(), { interval: 1 });
    await pass(0, 1);
    await found(['passing', expect.anything()]);
    await pass(999, 1);
    await pass(1, 2);
  });

  test.each([
    ['api', undefined, ['passing', 'ran\n']],
    ['files', 'web.json', ['passing', 'ran\n']],
    ['files', undefined, ['critical', 'Only definition files may have script checks on this node']],
    ['off', 'web.json', ['critical', 'Script checks are switched off on this node']],
  ] as const)('scripts run when they may: %s, from file %s', async (scriptChecks, file, expected) => {
    await startChecks({ random: () => 0, scriptChecks });
    await register({ kind: 'script', args: ['/bin/echo', 'ran'], shell: '' }, {}, file);
    await clock.advanceAsync(0);
    await found(expected);
  });

  test.each([
    ['files', undefined, 'Only definition files may have script checks on this node'],
    ['off', 'web.json', 'Script checks are switched off on this node'],
  ] as const)(
    'programs in containers run no more than scripts: %s, from file %s',
    async (scriptChecks, file, expected) => {
      await startChecks({ random: () => 0, scriptChecks });
      await register({ kind: 'docker', container: 'c1', args: ['true'], shell: '' }, {}, file);
      await clock.advanceAsync(0);
      await found(['critical', expected]);
    },
  );

  test('a script of a file stops when somebody else registers the same check', async () => {
    await startChecks({ random: () => 0, scriptChecks: 'files' });
    await register({ kind: 'script', args: ['/bin/echo', 'ran'], shell: '' }, {}, 'web.json');
    await clock.advanceAsync(0);
    await found(['passing', 'ran\n']);
    await register({ kind: 'script', args: ['/bin/echo', 'ran'], shell: '' });
    await clock.advanceAsync(0);
    await found(['critical', 'Only definition files may have script checks on this node']);
  });

  test('times a hung check out by the clock', async () => {
    site.removeAllListeners('request');
    site.on('request', () => {
      asked += 1;
    });
    await startChecks({ random: () => 0 });
    await register(http(), { timeout: 2_000 });
    await clock.advanceAsync(0);
    await eventually(() => expect(asked).toBe(1));
    await clock.advanceAsync(2_000);
    await found([
      'critical',
      `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    ]);
  });

  test('stopping cuts off a check under way and reports nothing of it', async () => {
    site.removeAllListeners('request');
    site.on('request', () => {
      asked += 1;
    });
    const checks = await startChecks({ random: () => 0 });
    await register(http());
    await clock.advanceAsync(0);
    await eventually(() => expect(asked).toBe(1));
    await checks.stop(clock.now() + 1_000);
    expect(current()).toEqual(['critical', '']);
    expect(clock.pending).toBe(0);
  });
});
