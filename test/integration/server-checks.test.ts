import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServerCheckTarget } from '../../src/health/server-check.ts';
import { type ServerCheckState, ServerChecks } from '../../src/health/server-checks.ts';
import { Slots } from '../../src/health/slots.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  closers.push(() => close(server));
  return (server.address() as AddressInfo).port;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A TCP server that counts its connections. */
function counting(): { server: Server; count: () => number } {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => {});
    socket.resume();
  });
  return { server, count: () => connections };
}

function startChecks() {
  const checks = new ServerChecks();
  const told: ServerCheckState[] = [];
  const flips: string[] = [];
  checks.results.on((state) => told.push(state));
  checks.flips.on((state) => flips.push(`${state.id} ${state.up ? 'up' : 'down'}`));
  closers.push(() => checks.stop(performance.now() + 1000));
  return { checks, told, flips };
}

function target(port: number, options: Partial<ServerCheckTarget> = {}): ServerCheckTarget {
  return {
    id: 'web/a',
    address: '127.0.0.1',
    port,
    check: { inter: 20, fall: 2, rise: 2, port: undefined },
    httpchk: undefined,
    timeout: 5_000,
    ...options,
  };
}

describe('ServerChecks', () => {
  test('a new server is up, unchecked, until its first failure takes it down', async () => {
    const { server } = counting();
    const port = await listen(server);
    await close(server);
    const { checks, told, flips } = startChecks();
    checks.set('web', [target(port)]);
    expect(checks.state('web/a')).toMatchObject({
      up: true,
      position: 'UP 1/2',
      lastCode: 'INI',
      desc: 'Initializing',
      durationMs: undefined,
    });
    await eventually(() => expect(flips).toEqual(['web/a down']));
    expect(told[0]).toMatchObject({
      up: false,
      flipped: true,
      position: 'DOWN',
      lastCode: 'L4CON',
      desc: 'Layer4 connection problem',
      info: 'Connection refused',
      why: expect.stringMatching(
        /^Layer4 connection problem, info: "Connection refused", check duration: \d+ms$/,
      ),
      failures: 1,
      downs: 1,
    });
  });

  test('falls and rises by its thresholds, showing where it stands', async () => {
    let status = 200;
    const server = createHttpServer((_request, response) => response.writeHead(status).end());
    const port = await listen(server);
    const { checks, told, flips } = startChecks();
    const httpchk = { method: 'GET', uri: '/' };
    checks.set('web', [target(port, { httpchk, check: { inter: 20, fall: 3, rise: 2, port: undefined } })]);
    await eventually(() => expect(checks.state('web/a')?.position).toBe('UP'));
    status = 503;
    await eventually(() => expect(flips).toEqual(['web/a down']));
    status = 200;
    await eventually(() => expect(flips).toEqual(['web/a down', 'web/a up']));
    const positions = told.map((state) => state.position).filter((each, i, all) => each !== all[i - 1]);
    expect(positions).toEqual(['UP', 'UP 2/3', 'UP 1/3', 'DOWN', 'DOWN 1/2', 'UP']);
    expect(checks.state('web/a')?.why).toMatch(/^Layer7 check passed, code: 200, check duration: \d+ms$/);
    expect(told.find((state) => state.flipped)).toMatchObject({
      lastCode: 'L7STS',
      httpStatus: 503,
      failures: 3,
      downs: 1,
      why: expect.stringMatching(
        /^Layer7 wrong status, code: 503, info: "Service Unavailable", check duration/,
      ),
    });
  });

  test('a server that accepts but never answers is timed out', async () => {
    const { server } = counting();
    const port = await listen(server);
    const { checks, told } = startChecks();
    checks.set('web', [target(port, { httpchk: { method: 'GET', uri: '/' }, timeout: 50 })]);
    await eventually(() => expect(told[0]).toMatchObject({ up: false, lastCode: 'L7TOUT' }));
  });

  test('backends that check the same server in the same way share one check', async () => {
    const { server, count } = counting();
    const port = await listen(server);
    const { checks, told } = startChecks();
    const both = [target(port), target(port, { id: 'api/a' })];
    checks.set('web', both);
    await eventually(() => expect(told.length).toBeGreaterThanOrEqual(6));
    await checks.stop(performance.now() + 1000);
    expect(told.map(({ id }) => id).slice(0, 4)).toEqual(['web/a', 'api/a', 'web/a', 'api/a']);
    await eventually(() => expect(count()).toBe(told.length / 2));
  });

  test('a target that joins has the state of the running check; the check lives until the last one leaves', async () => {
    const { server } = counting();
    const port = await listen(server);
    await close(server);
    const { checks, told, flips } = startChecks();
    checks.set('web', [target(port)]);
    await eventually(() => expect(flips).toEqual(['web/a down']));
    checks.set('web', [target(port, { id: 'api/a' })]);
    expect(checks.state('web/a')).toBeUndefined();
    expect(checks.state('api/a')).toMatchObject({ up: false, lastCode: 'L4CON', flipped: false });
    told.length = 0;
    await eventually(() => expect(told.length).toBeGreaterThan(1));
    expect(new Set(told.map(({ id }) => id))).toEqual(new Set(['api/a']));
    checks.set('web', []);
    expect(checks.state('api/a')).toBeUndefined();
  });

  test('a server stays down when only the settings of its check change, not when its address does', async () => {
    const { server } = counting();
    const port = await listen(server);
    await close(server);
    const { checks, flips } = startChecks();
    checks.set('web', [target(port)]);
    await eventually(() => expect(flips).toEqual(['web/a down']));
    checks.set('web', [target(port, { check: { inter: 60_000, fall: 3, rise: 2, port: undefined } })]);
    expect(checks.state('web/a')).toMatchObject({ up: false, position: 'DOWN', lastCode: 'INI' });
    checks.set('web', [target(port, { address: '127.0.0.2' })]);
    expect(checks.state('web/a')).toMatchObject({ up: true });
  });

  test('what does not change goes on undisturbed', async () => {
    const { server } = counting();
    const port = await listen(server);
    const { checks } = startChecks();
    checks.set('web', [target(port)]);
    await eventually(() => expect(checks.state('web/a')?.position).toBe('UP'));
    checks.set('web', [target(port), target(port, { id: 'web/b', address: '127.0.0.2' })]);
    expect(checks.state('web/a')).toMatchObject({ position: 'UP', lastCode: 'L4OK' });
  });

  test('the targets of one owner leave those of others alone', async () => {
    const { server } = counting();
    const port = await listen(server);
    const { checks, told } = startChecks();
    checks.set('web', [target(port), target(port, { id: 'web/b', address: '127.0.0.2' })]);
    checks.set('api', [target(port, { id: 'api/a' })]);
    checks.set('web', [target(port)]);
    expect(['web/a', 'web/b', 'api/a'].map((id) => checks.state(id) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
    checks.set('api', []);
    expect(checks.state('api/a')).toBeUndefined();
    told.length = 0;
    await eventually(() => expect(told.map(({ id }) => id)).toContain('web/a'));
    expect(new Set(told.map(({ id }) => id))).toEqual(new Set(['web/a']));
  });

  test('the same server checked at different ports is checked twice', async () => {
    const { server } = counting();
    const port = await listen(server);
    const { checks } = startChecks();
    const at = (checkPort: number) => ({ inter: 20, fall: 2, rise: 2, port: checkPort });
    checks.set('web', [target(1, { check: at(port) }), target(1, { id: 'api/a', check: at(1) })]);
    await eventually(() => {
      expect(checks.state('web/a')).toMatchObject({ up: true, lastCode: 'L4OK' });
      expect(checks.state('api/a')).toMatchObject({ up: false, lastCode: 'L4CON' });
    });
  });

  test('is checked at the port the check names', async () => {
    const { server } = counting();
    const port = await listen(server);
    const { checks, told } = startChecks();
    checks.set('web', [target(1, { check: { inter: 20, fall: 2, rise: 2, port } })]);
    await eventually(() => expect(told[0]).toMatchObject({ up: true, lastCode: 'L4OK' }));
  });

  test('checkNow does not wait for the interval, but not more often than makes sense', async () => {
    const { server, count } = counting();
    const port = await listen(server);
    const clock = new FakeClock();
    const slots = new Slots(1);
    const checks = new ServerChecks({ clock, slots });
    const told: ServerCheckState[] = [];
    checks.results.on((state) => told.push(state));
    checks.set('web', [target(port, { check: { inter: 3_600_000, fall: 2, rise: 2, port: undefined } })]);
    checks.checkNow('no such target');
    checks.checkNow('web/a');
    clock.advance(0);
    await eventually(() => expect(told).toHaveLength(1));
    for (let ms = 0; ms < 199; ms++) {
      checks.checkNow('web/a');
      clock.advance(1);
    }
    // A check under way would hold the slot.
    let free = false;
    slots.take((release) => {
      free = true;
      release();
    });
    expect(free).toBe(true);
    clock.advance(1);
    checks.checkNow('web/a');
    clock.advance(0);
    await eventually(() => expect(told).toHaveLength(2));
    await checks.stop(clock.now());
    expect(clock.pending).toBe(0);
    await eventually(() => expect(count()).toBe(2));
  });

  test('a listener may take targets away while it is told of them', async () => {
    const { server } = counting();
    const port = await listen(server);
    const { checks, told } = startChecks();
    checks.results.on(() => checks.set('web', []));
    checks.set('web', [target(port), target(port, { id: 'api/a' })]);
    await eventually(() => expect(told.map(({ id }) => id)).toEqual(['web/a']));
  });
});
