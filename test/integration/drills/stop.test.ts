import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { ask, cameTooLate, Load, problems } from '../../helpers/drill-load.ts';
import { answeredBy, startVane, type Vane } from '../../helpers/drill-vane.ts';
import { closeAll, openConnections } from '../../helpers/drill-workers.ts';
import { eventually } from '../../helpers/eventually.ts';

const CLIENTS = 20;
const GRACE_MS = 1_500;

async function start(global: string, lane: string): Promise<Vane> {
  const instances = await startInstances('web-1', 'web-2');
  onTestFinished(() => instances[Symbol.asyncDispose]());
  const servers = [...instances.addresses.values()].map((address) => `"${address}"`);
  const vane = await startVane(
    ({ frontend, stats }) => `
global: { stats: { bind: "${stats}" }, hard-stop-after: 20s, ${global} }
registry: off
frontends: { www: { bind: "${frontend}", option: [http-lane ${lane}], default_backend: web } }
backends: { web: { servers: [${servers}] } }
`,
  );
  onTestFinished(() => vane[Symbol.asyncDispose]());
  await answeredBy(vane.port, ['web-1', 'web-2']);
  return vane;
}

const readiness = async (vane: Vane) => (await fetch(`http://${vane.places.stats}/readyz`)).status;

/** Clients that ask again 2 ms after each answer, over the connection that they have. */
function eager(vane: Vane): Load {
  const clients = Array.from(
    { length: CLIENTS },
    () => ({ method: 'GET', path: '/fast', keepAlive: true }) as const,
  );
  return new Load({ port: vane.port, clients, pause: 2 });
}

describe.each([
  ['direct', 0],
  ['compat', 0],
  ['direct', 2],
])('TERM, over the %s lane, with %i workers', (lane, workers) => {
  test('cuts no client that goes on asking over its connection', drillTimeout(10), async () => {
    const vane = await start(`workers: ${workers}`, lane);
    await using load = eager(vane);
    await load.more(CLIENTS * 20);
    vane.signal('SIGTERM');
    await eventually(() => expect(load.failed.length).toBeGreaterThan(CLIENTS));
    await load.stop();
    expect(await vane.ended, vane.output()).toBe(0);
    const cut = load.failed.filter((one) => !cameTooLate(one));
    figure(
      'stop',
      `${lane} lane, ${workers} workers: requests of ${CLIENTS} clients, pausing 2 ms, cut by TERM`,
      cut.length,
      '0',
    );
    expect(problems(cut)).toEqual({});
  });

  test('ends idle connections one after the other, and none with a reset', drillTimeout(10), async () => {
    const vane = await start(`workers: ${workers}, close-spread-time: 800ms`, lane);
    const clients = await openConnections(vane.port, CLIENTS);
    onTestFinished(() => closeAll(clients));
    const ends: number[] = [];
    for (const { socket } of clients) {
      socket.once('end', () => {
        ends.push(monotonic());
        socket.end();
      });
    }
    vane.signal('SIGTERM');
    expect(await vane.ended, vane.output()).toBe(0);
    await eventually(() => expect(ends).toHaveLength(CLIENTS));
    expect(clients.map(({ error }) => error).filter(Boolean)).toEqual([]);
    const spread = Math.max(...ends) - Math.min(...ends);
    figure(
      'stop',
      `${lane} lane, ${workers} workers: idle connections ended over, close-spread-time 800, ms`,
      spread,
    );
    expect(spread).toBeGreaterThan(100);
  });

  test('goes on accepting for the grace time, though it is not ready', drillTimeout(10), async () => {
    const vane = await start(`workers: ${workers}, grace: ${GRACE_MS}ms`, lane);
    await using load = eager(vane);
    await load.more(CLIENTS);
    const since = monotonic();
    vane.signal('SIGTERM');
    await eventually(async () => expect(await readiness(vane)).toBe(503));
    const notReadyAfter = monotonic() - since;
    while (monotonic() - since < GRACE_MS / 2) {
      expect((await ask(vane.port, '/fast')).problem).toBeUndefined();
      expect(problems(load.failed)).toEqual({});
    }
    await eventually(async () => expect(await connects(vane.port)).toBe(false));
    const refusedAfter = monotonic() - since;
    expect(refusedAfter).toBeGreaterThan(GRACE_MS - 50);
    await load.stop();
    expect(await vane.ended, vane.output()).toBe(0);
    figure('stop', `${lane} lane, ${workers} workers: from TERM to 503 of /readyz, ms`, notReadyAfter);
    figure(
      'stop',
      `${lane} lane, ${workers} workers: from TERM to the end of accepting, grace ${GRACE_MS}, ms`,
      refusedAfter,
    );
  });
});

test('a second INT during the grace time ends it at once', drillTimeout(10), async () => {
  const vane = await start('grace: 15s', 'direct');
  const since = monotonic();
  vane.signal('SIGINT');
  await vane.says(/"msg":"stopping"/);
  // Sooner it would be taken for the same Ctrl-C.
  await eventually(() => expect(monotonic() - since).toBeGreaterThan(700));
  vane.signal('SIGINT');
  expect(await vane.ended).toBe(130);
});

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
