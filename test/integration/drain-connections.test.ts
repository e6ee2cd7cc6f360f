import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { ServerSnapshot } from '../../src/balance/server.ts';
import type { FrontendConfig } from '../../src/config/runtime/frontends.ts';
import { systemClock } from '../../src/core/clock.ts';
import { type ControlEnd, localChannel } from '../../src/proxy/plane/channel.ts';
import type { PlaneCounters } from '../../src/proxy/plane/counters.ts';
import type { FromPlane } from '../../src/proxy/plane/messages.ts';
import { Plane } from '../../src/proxy/plane/plane.ts';
import { eventually } from '../helpers/eventually.ts';
import { type OriginConnection, RawClient, RawOrigin } from '../helpers/raw-http.ts';
import { backendConfig, frontendConfig, serverSnapshot } from '../unit/proxy/fixtures.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** Than idle connections age out. */
const SOONER_MS = 2_500;

let plane: Plane;
let control: ControlEnd;
let said: FromPlane[];
let warnings: unknown[];
let revision: number;
let origin: RawOrigin;
let spare: RawOrigin;

beforeEach(async () => {
  [origin, spare] = [await RawOrigin.listen(), await RawOrigin.listen()];
  const ends = localChannel();
  control = ends.control;
  said = [];
  warnings = [];
  revision = 0;
  control.onMessage((message) => said.push(message));
  const log = { debug() {}, info() {}, error() {}, warn: (fields: object) => warnings.push(fields) };
  plane = new Plane({ channel: ends.plane, clock: systemClock, random: () => 0, log, access: () => {} });
  onTestFinished(async () => {
    plane.close();
    await Promise.all([origin.close(), spare.close()]);
  });
});

const server = (name: string, port: number, changes: Partial<ServerSnapshot> = {}) =>
  serverSnapshot(name, { address: '127.0.0.1', port, ...changes });

function setServers(...servers: readonly ServerSnapshot[]): void {
  control.post({ type: 'servers', set: { backend: 'web', revision: ++revision, servers } });
}

/** One frontend of this kind; resolves to its port. */
async function serve(lane: FrontendConfig['options']['httpLane'] | 'tcp'): Promise<number> {
  const plain = frontendConfig();
  const frontend =
    lane === 'tcp'
      ? frontendConfig({ mode: 'tcp' })
      : { ...plain, options: { ...plain.options, httpLane: lane } };
  const backends = [backendConfig({ mode: lane === 'tcp' ? 'tcp' : 'http' })];
  control.post({
    type: 'config',
    generation: 1,
    maxconn: 1_000,
    closeSpread: 50,
    frontends: [frontend],
    backends,
    sets: [],
  });
  return eventually(() => {
    const applied = said.find((message) => message.type === 'applied');
    if (!applied) throw new Error(JSON.stringify(said));
    return applied.listening[0]?.port ?? 0;
  });
}

let question = 0;
async function counters(): Promise<PlaneCounters> {
  const id = ++question;
  control.post({ type: 'collect', id });
  return eventually(() => {
    const found = said.find((message) => message.type === 'counters' && message.id === id);
    if (found?.type !== 'counters') throw new Error('no counters');
    return found.counters;
  });
}

async function client(port: number): Promise<RawClient> {
  const made = await RawClient.connect(port);
  onTestFinished(() => void made.socket.destroy());
  return made;
}

describe.each(['direct', 'compat'] as const)('a server that drains, over the %s lane', (lane) => {
  test('loses its idle connections at once and used ones after their answer; clients keep theirs', async () => {
    const port = await serve(lane);
    setServers(server('a', origin.port));
    const held: OriginConnection[] = [];
    origin.onRequest = (connection) => held.push(connection);
    spare.answers(OK);
    const [idle, used] = [await client(port), await client(port)];
    idle.send(GET);
    await eventually(() => expect(held).toHaveLength(1));
    used.send(GET);
    await eventually(() => expect(held).toHaveLength(2));
    held[0]?.send(OK);
    await idle.answer();

    setServers(server('a', origin.port, { admission: 'draining' }), server('b', spare.port));
    await eventually(() => expect(held[0]?.socket.destroyed).toBe(true), SOONER_MS);
    expect(held[1]?.socket.destroyed).toBe(false);
    held[1]?.send(OK);
    expect((await used.answer()).line).toBe('HTTP/1.1 200 OK');
    await eventually(() => expect(held[1]?.socket.destroyed).toBe(true), SOONER_MS);
    for (const one of [idle, used]) {
      one.send(GET);
      expect((await one.answer()).line).toBe('HTTP/1.1 200 OK');
      expect(one.closed).toBe(false);
    }
    expect(spare.requests).toHaveLength(2);
    expect(held).toHaveLength(2);
  });

  test('and is back before its end keeps its counters, and connections again', async () => {
    const port = await serve(lane);
    setServers(server('a', origin.port));
    const held: OriginConnection[] = [];
    origin.onRequest = (connection) => held.push(connection);
    const running = await client(port);
    running.send(GET);
    await eventually(() => expect(held).toHaveLength(1));
    setServers(server('a', origin.port, { admission: 'draining' }), server('b', spare.port));
    setServers(server('a', origin.port));
    held[0]?.send(OK);
    await running.answer();
    running.send(GET);
    await eventually(() => expect(held).toHaveLength(2));
    held[1]?.send(OK);
    await running.answer();
    expect(held[1]?.socket).toBe(held[0]?.socket);
    const [backend] = (await counters()).backends;
    expect(backend?.servers).toMatchObject([{ stot: 2, scur: 0, idleConnections: 1 }]);
  });

  test('keeps WebSockets until it is gone; then both sides are told 1001', async () => {
    const port = await serve(lane);
    const echoes = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(echoes, 'listening');
    onTestFinished(() => void echoes.close());
    const atServer = new Promise<number>((resolve) =>
      echoes.on('connection', (socket) => {
        socket.on('message', (data) => socket.send(String(data)));
        socket.once('close', resolve);
      }),
    );
    const { port: echoPort } = echoes.address() as AddressInfo;
    setServers(server('a', echoPort));
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    setServers(server('a', echoPort, { admission: 'draining' }));
    socket.send('still');
    expect(String((await once(socket, 'message'))[0])).toBe('still');
    setServers();
    expect((await closed)[0]).toBe(1001);
    expect(await atServer).toBe(1001);
    const [backend] = (await counters()).backends;
    expect(backend?.drainCut).toBe(1);
    expect(warnings).toEqual([{ backend: 'web', server: 'a', cut: 1 }]);
  });

  test('a plane that stops tells WebSockets 1001 at its deadline', async () => {
    const port = await serve(lane);
    const echoes = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(echoes, 'listening');
    onTestFinished(() => void echoes.close());
    const atServer = new Promise<number>((resolve) =>
      echoes.on('connection', (socket) => socket.once('close', resolve)),
    );
    setServers(server('a', (echoes.address() as AddressInfo).port));
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    control.post({ type: 'drain', withinMs: 50 });
    expect((await closed)[0]).toBe(1001);
    expect(await atServer).toBe(1001);
    await eventually(() => expect(said).toContainEqual({ type: 'drained', cut: 1 }));
  });
});

describe('a server that drains, over TCP', () => {
  test('keeps its connections until it is gone; then both sides are ended without a reset', async () => {
    const port = await serve('tcp');
    setServers(server('a', origin.port));
    const held: OriginConnection[] = [];
    origin.onRequest = (connection) => held.push(connection);
    const running = await client(port);
    running.send(GET);
    await eventually(() => expect(held).toHaveLength(1));
    setServers(server('a', origin.port, { admission: 'draining' }));
    held[0]?.send('still');
    await eventually(() => expect(running.received).toBe('still'));
    setServers();
    await eventually(() => expect(running.ended).toBe(true));
    expect(running.error).toBeUndefined();
    const [backend] = (await counters()).backends;
    expect(backend?.drainCut).toBe(1);
  });
});
