import { type AddressInfo, createServer, connect as open } from 'node:net';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { ServerSet } from '../../src/balance/server.ts';
import type { BackendConfig } from '../../src/config/runtime/backends.ts';
import type { BindAddress } from '../../src/config/runtime/binds.ts';
import type { FrontendConfig } from '../../src/config/runtime/frontends.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { AccessEntry } from '../../src/proxy/access-entry.ts';
import { bindSocket } from '../../src/proxy/plane/bound-socket.ts';
import { type ControlEnd, localChannel } from '../../src/proxy/plane/channel.ts';
import type { PlaneCounters } from '../../src/proxy/plane/counters.ts';
import type { FromPlane, Listening } from '../../src/proxy/plane/messages.ts';
import { Plane } from '../../src/proxy/plane/plane.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { type OriginConnection, RawClient, RawOrigin, values } from '../helpers/raw-http.ts';
import {
  backendConfig,
  frontendConfig,
  parseRule,
  parseUse,
  serverSnapshot,
} from '../unit/proxy/fixtures.ts';

const ANY: BindAddress = { host: '127.0.0.1', port: 0 };
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

interface Setup {
  readonly frontends?: readonly Partial<FrontendConfig>[];
  readonly backends?: readonly Partial<BackendConfig>[];
  readonly sets?: readonly ServerSet[];
  readonly maxconn?: number;
  readonly closeSpread?: number;
}

type Answer<T extends FromPlane['type']> = Extract<FromPlane, { type: T }>;

/** A plane with real sockets, and control's end of its line in the test's hand. */
class Rig {
  readonly plane: Plane;
  readonly control: ControlEnd;
  readonly said: FromPlane[] = [];
  readonly entries: AccessEntry[] = [];
  readonly errors: object[] = [];
  #generation = 0;
  #question = 0;

  constructor() {
    const { control, plane } = localChannel();
    this.control = control;
    control.onMessage((message) => this.said.push(message));
    this.plane = new Plane({
      channel: plane,
      clock: systemClock,
      random: () => 0,
      log: { debug() {}, info() {}, warn() {}, error: (fields) => this.errors.push(fields) },
      access: (entry) => this.entries.push(entry),
    });
  }

  async configure(setup: Setup): Promise<Answer<'applied'> | Answer<'rejected'>> {
    const generation = ++this.#generation;
    const frontends = (setup.frontends ?? [{}]).map((changes) => frontendConfig(changes));
    const backends = (setup.backends ?? [{}]).map((changes) => backendConfig(changes));
    const { sets = [], maxconn = 1_000, closeSpread = 50 } = setup;
    this.control.post({ type: 'config', generation, maxconn, closeSpread, frontends, backends, sets });
    return this.#wait((message) => {
      const mine = message.type === 'applied' || message.type === 'rejected';
      return mine && message.generation === generation ? message : undefined;
    });
  }

  /** A configuration that is taken; returns the ports listened on. */
  async apply(setup: Setup): Promise<readonly number[]> {
    const answer = await this.configure(setup);
    if (answer.type === 'rejected') throw new Error(JSON.stringify(answer.problems));
    return answer.listening.map(({ port }) => port);
  }

  async counters(): Promise<PlaneCounters> {
    const id = ++this.#question;
    this.control.post({ type: 'collect', id });
    return this.#wait((message) =>
      message.type === 'counters' && message.id === id ? message.counters : undefined,
    );
  }

  async frontend(name = 'www') {
    const row = (await this.counters()).frontends.find((frontend) => frontend.name === name);
    if (!row) throw new Error(`no frontend ${name}`);
    return row;
  }

  drain(withinMs: number): Promise<number> {
    this.control.post({ type: 'drain', withinMs });
    return this.#wait((message) => (message.type === 'drained' ? message.cut : undefined));
  }

  #wait<T>(find: (message: FromPlane) => T | undefined): Promise<T> {
    return eventually(() => {
      for (const message of this.said) {
        const found = find(message);
        if (found !== undefined) return found;
      }
      throw new Error(`the plane has said ${JSON.stringify(this.said)}`);
    });
  }
}

let rig: Rig;
let origin: RawOrigin;

beforeEach(async () => {
  origin = await RawOrigin.listen();
  rig = new Rig();
  onTestFinished(async () => {
    rig.plane.close();
    await origin.close();
  });
});

function serversOf(...origins: readonly RawOrigin[]): ServerSet {
  const servers = origins.map(({ port }) => serverSnapshot(`s${port}`, { address: '127.0.0.1', port }));
  return { backend: 'web', revision: 1, servers };
}

const serving = (setup: Setup = {}): Setup => ({ sets: [serversOf(origin)], ...setup });

async function client(port: number): Promise<RawClient> {
  const made = await RawClient.connect(port);
  onTestFinished(() => {
    made.socket.destroy();
  });
  return made;
}

/** The status line of an answer to a request over a connection of its own. */
async function ask(port: number, request = GET): Promise<string> {
  const asking = await client(port);
  asking.send(request);
  const { line } = await asking.answer();
  asking.socket.destroy();
  return line;
}

/** Whether anyone listens there. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open({ host: '127.0.0.1', port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** A connection that is ended before anything was said on it. */
function turnedAway(port: number): Promise<unknown> {
  const socket = open({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  return new Promise((resolve) => socket.on('close', resolve));
}

/** A port that nobody listens on. */
async function freeBind(): Promise<BindAddress> {
  const [address = ''] = await freeAddresses(1);
  return { host: '127.0.0.1', port: Number(address.split(':')[1]) };
}

/** A port that somebody else listens on until the test is over. */
async function taken(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Makes the origin hold its answers back. */
function heldBack(from = origin): readonly OriginConnection[] {
  const held: OriginConnection[] = [];
  from.onRequest = (connection) => held.push(connection);
  return held;
}

async function held(connections: readonly OriginConnection[], count = 1): Promise<void> {
  await eventually(() => expect(connections).toHaveLength(count));
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('a configuration', () => {
  test('is served as soon as it is applied, where it says', async () => {
    const [port = 0] = await rig.apply(serving());
    expect(port).toBeGreaterThan(0);
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
    expect(rig.errors).toEqual([]);
  });

  test('port 0 is a port of its own each time it is written, and stays over reloads', async () => {
    const setup = serving({ frontends: [{ bind: [ANY, ANY] }, { name: 'other', bind: [ANY] }] });
    const answer = await rig.configure(setup);
    const listening: readonly Listening[] = answer.type === 'applied' ? answer.listening : [];
    expect(listening.map(({ frontend, bind }) => [frontend, bind])).toEqual([
      ['www', ANY],
      ['www', ANY],
      ['other', ANY],
    ]);
    const ports = listening.map(({ port }) => port);
    expect(new Set(ports).size).toBe(3);
    expect(await rig.apply(setup)).toEqual(ports);
  });

  test('with an address that is taken changes nothing at all', async () => {
    const [port = 0] = await rig.apply(serving());
    const keeping = await client(port);
    keeping.send(GET);
    await keeping.answer();
    const [free = 0, busy] = [await taken(), await taken()];
    const answer = await rig.configure({
      frontends: [
        { bind: [ANY], httpRequest: [parseRule('deny')] },
        { name: 'more', bind: [ANY, { host: '127.0.0.1', port: busy }] },
        { name: 'even-more', bind: [{ host: '127.0.0.1', port: free }] },
      ],
      backends: [],
      maxconn: 0,
    });
    expect(answer).toMatchObject({
      type: 'rejected',
      problems: [
        { frontend: 'more', bind: { port: busy }, message: expect.stringContaining('EADDRINUSE') },
        { frontend: 'even-more', bind: { port: free } },
      ],
    });
    // The old configuration goes on: its connections, its rules, its limits, its servers, its counters.
    keeping.send(GET);
    expect((await keeping.answer()).line).toBe('HTTP/1.1 200 OK');
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
    const { frontends, backends } = await rig.counters();
    expect(frontends.map(({ name, reqTot }) => [name, reqTot])).toEqual([['www', 3]]);
    expect(backends.map(({ name }) => name)).toEqual(['web']);
  });

  test('may widen or narrow an address, and refuses nobody meanwhile', async () => {
    const { host, port } = await freeBind();
    const wide = serving({ frontends: [{ bind: [{ host: '0.0.0.0', port }] }] });
    const narrow = serving({ frontends: [{ bind: [{ host, port }] }] });
    await rig.apply(wide);
    for (const next of [narrow, wide]) {
      const applied = rig.apply(next);
      expect(await Promise.all(Array.from({ length: 20 }, () => ask(port)))).toEqual(
        Array(20).fill('HTTP/1.1 200 OK'),
      );
      expect(await applied).toEqual([port]);
      expect(await ask(port)).toBe('HTTP/1.1 200 OK');
    }
    // To others it is taken all the same, to another process with this configuration too.
    await expect(bindSocket({ host, port })).rejects.toThrow('EADDRINUSE');
  });

  test('that was rejected leaves nothing open, and a better one is taken', async () => {
    await rig.apply(serving());
    const fixed = await freeBind();
    const { port } = fixed;
    const bad = await rig.configure({
      frontends: [{ bind: [fixed, { host: '127.0.0.1', port: await taken() }] }],
    });
    expect(bad.type).toBe('rejected');
    expect(await listens(port)).toBe(false);
    expect(await rig.apply(serving({ frontends: [{ bind: [fixed] }] }))).toEqual([port]);
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
  });

  test('holds for open connections from their next request on', async () => {
    const [port = 0] = await rig.apply(serving());
    const keeping = await client(port);
    keeping.send(GET);
    expect((await keeping.answer()).line).toBe('HTTP/1.1 200 OK');
    await rig.apply(serving({ frontends: [{ httpRequest: [parseRule('deny')] }] }));
    keeping.send(GET);
    expect((await keeping.answer()).line).toBe('HTTP/1.1 403 Forbidden');
    expect(await rig.frontend()).toMatchObject({ reqTot: 2, dreq: 1, connTot: 1 });
  });

  test('is replaced under load without one connection refused or request lost', async () => {
    const [port = 0] = await rig.apply(serving());
    let asking = true;
    const lines: string[] = [];
    const load = Array.from({ length: 4 }, async () => {
      while (asking) lines.push(await ask(port));
    });
    for (let i = 0; i < 20; i++) {
      const frontends = [{}, { name: `extra-${i}`, bind: [ANY] }];
      expect((await rig.apply(serving({ frontends })))[0]).toBe(port);
    }
    asking = false;
    await Promise.all(load);
    expect(lines.length).toBeGreaterThan(0);
    expect(new Set(lines)).toEqual(new Set(['HTTP/1.1 200 OK']));
    expect(await rig.frontend()).toMatchObject({ reqTot: lines.length, dcon: 0 });
  });

  test('may give an address to another frontend', async () => {
    const fixed = await freeBind();
    const { port } = fixed;
    await rig.apply(serving({ frontends: [{ bind: [fixed] }, { name: 'other', bind: [ANY] }] }));
    const keeping = await client(port);
    keeping.send(GET);
    await keeping.answer();
    const moved = { frontends: [{ bind: [ANY] }, { name: 'other', bind: [fixed] }] };
    await rig.apply(serving(moved));
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
    expect(await rig.frontend('other')).toMatchObject({ reqTot: 1, connTot: 1 });
    // A connection stays with whom it belongs to.
    keeping.send(GET);
    await keeping.answer();
    expect(await rig.frontend('www')).toMatchObject({ reqTot: 2, connTot: 1 });
    expect(await rig.frontend('other')).toMatchObject({ reqTot: 1 });
  });

  test('may change what a name stands for: another mode is another frontend and backend', async () => {
    const bind = [await freeBind()];
    const [port = 0] = await rig.apply(serving({ frontends: [{ bind }] }));
    const keeping = await client(port);
    keeping.send(GET);
    await keeping.answer();
    await rig.apply(serving({ frontends: [{ bind, mode: 'tcp' }], backends: [{ mode: 'tcp' }] }));
    await keeping.gone();
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
    await eventually(() =>
      expect(rig.entries.at(-1)).toMatchObject({ mode: 'tcp', server: `s${origin.port}` }),
    );
    expect(await rig.frontend()).toMatchObject({ mode: 'tcp', connTot: 1, reqTot: 0 });
  });
});

describe('servers', () => {
  test('told right behind a configuration are there for its first request', async () => {
    const applied = rig.apply({});
    rig.control.post({ type: 'servers', set: serversOf(origin) });
    const [port = 0] = await applied;
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
  });

  test('of a backend that nobody knows concern nobody', async () => {
    const [port = 0] = await rig.apply(serving());
    rig.control.post({ type: 'servers', set: { ...serversOf(), backend: 'unknown' } });
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
    expect(rig.errors).toEqual([]);
  });

  test('that drain are told to be idle when their last work is done', async () => {
    const [port = 0] = await rig.apply(serving());
    const answers = heldBack();
    const asking = await client(port);
    asking.send(GET);
    await held(answers);
    const { servers } = serversOf(origin);
    const draining = servers.map((server) => ({ ...server, admission: 'draining' as const }));
    rig.control.post({ type: 'servers', set: { backend: 'web', revision: 2, servers: draining } });
    await rig.counters();
    expect(rig.said.filter(({ type }) => type === 'idle')).toEqual([]);
    answers[0]?.send(OK);
    await asking.answer();
    await eventually(() =>
      expect(rig.said.filter(({ type }) => type === 'idle')).toEqual([
        { type: 'idle', backend: 'web', server: `127.0.0.1:${origin.port}`, revision: 2 },
      ]),
    );
  });

  test('in trouble are told of, and the request goes elsewhere', async () => {
    const dead = await RawOrigin.listen();
    await dead.close();
    const [port = 0] = await rig.apply(serving({ sets: [serversOf(dead, origin)] }));
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
    expect(rig.said).toContainEqual(
      expect.objectContaining({
        ...{ type: 'trouble', backend: 'web', server: `127.0.0.1:${dead.port}`, code: 'CONNECT_REFUSED' },
      }),
    );
  });
});

describe('what a configuration takes away', () => {
  test('a frontend: its idle connections end, its running request is finished and then its connection', async () => {
    const two = { frontends: [{}, { name: 'old', bind: [ANY] }] };
    const [, port = 0] = await rig.apply(serving(two));
    const idle = await client(port);
    idle.send(GET);
    await idle.answer();
    const answers = heldBack();
    const running = await client(port);
    running.send(GET);
    await held(answers);
    await rig.apply(serving());
    await idle.gone();
    expect(await listens(port)).toBe(false);
    expect(running.closed).toBe(false);
    answers[0]?.send(OK);
    const answer = await running.answer();
    expect(answer.line).toBe('HTTP/1.1 200 OK');
    expect(values(answer, 'connection')).toEqual(['close']);
    await running.gone();
    await eventually(async () => expect((await rig.counters()).connections).toBe(0));
    expect((await rig.counters()).frontends.map(({ name }) => name)).toEqual(['www']);
  });

  test('a backend: its running request is finished', async () => {
    const source = { kind: 'address', key: 'x', host: '127.0.0.1', port: 1 } as const;
    const servers = [{ ...source, weight: 1, backup: false, maxconn: 0, drain: 60_000, check: undefined }];
    const [port = 0] = await rig.apply(serving({ backends: [{ servers }] }));
    const answers = heldBack();
    const asking = await client(port);
    asking.send(GET);
    await held(answers);
    await rig.apply({ backends: [] });
    expect(await ask(port)).toBe('HTTP/1.1 503 Service Unavailable');
    answers[0]?.send(OK);
    expect((await asking.answer()).line).toBe('HTTP/1.1 200 OK');
  });

  test('a backend, past its drain time: what still runs is cut, and not begun anew', async () => {
    const [port = 0] = await rig.apply(serving());
    const answers = heldBack();
    const asking = await client(port);
    asking.send(GET);
    await held(answers);
    // Without servers in its configuration it may drain for no time at all.
    await rig.apply({ backends: [] });
    const answer = await asking.answer();
    expect(answer.line).toBe('HTTP/1.1 503 Service Unavailable');
    expect(values(answer, 'x-vane-reason')).toEqual(['SERVER_REMOVED']);
    expect(answers).toHaveLength(1);
  });
});

describe('maxconn', () => {
  test('of a frontend: more connections are refused, and counted', async () => {
    const [port = 0, other = 0] = await rig.apply(
      serving({ frontends: [{ maxconn: 1 }, { name: 'other', bind: [ANY] }] }),
    );
    const first = await client(port);
    first.send(GET);
    await first.answer();
    await turnedAway(port);
    expect(await ask(other)).toBe('HTTP/1.1 200 OK');
    expect(await rig.frontend()).toMatchObject({ dcon: 1, scur: 1, connTot: 1, slim: 1 });
    first.socket.destroy();
    await eventually(async () => expect((await rig.frontend()).scur).toBe(0));
    expect(await ask(port)).toBe('HTTP/1.1 200 OK');
  });

  test('of all together, raised by a reload', async () => {
    const frontends = [{}, { name: 'other', bind: [ANY] }];
    const [port = 0, other = 0] = await rig.apply(serving({ frontends, maxconn: 1 }));
    const first = await client(port);
    first.send(GET);
    await first.answer();
    await turnedAway(other);
    expect(await rig.frontend('other')).toMatchObject({ dcon: 1 });
    await rig.apply(serving({ frontends, maxconn: 2 }));
    expect(await ask(other)).toBe('HTTP/1.1 200 OK');
  });
});

describe('drain', () => {
  test('accepts nothing more, ends what is idle, lets finish what is running, and says when all is over', async () => {
    const [port = 0] = await rig.apply(serving());
    const idle = await client(port);
    idle.send(GET);
    await idle.answer();
    const answers = heldBack();
    const running = await client(port);
    running.send(GET);
    await held(answers);
    const drained = rig.drain(60_000);
    await idle.gone();
    idle.socket.end();
    await eventually(async () => expect(await listens(port)).toBe(false));
    expect(running.closed).toBe(false);
    // It is still spoken to meanwhile.
    await eventually(async () => expect(await rig.counters()).toMatchObject({ connections: 1 }));
    expect(await rig.configure(serving())).toMatchObject({ type: 'rejected', problems: [] });
    answers[0]?.send(OK);
    const answer = await running.answer();
    expect(answer.line).toBe('HTTP/1.1 200 OK');
    expect(values(answer, 'connection')).toEqual(['close']);
    expect(await drained).toBe(0);
    await running.gone();
  });

  test('cuts at its deadline what is still running, and counts it', async () => {
    const [port = 0] = await rig.apply(serving());
    const answers = heldBack();
    const running = [await client(port), await client(port)];
    for (const one of running) one.send(GET);
    await held(answers, 2);
    expect(await rig.drain(20)).toBe(2);
    for (const one of running) await one.gone();
    await eventually(async () => expect(await rig.counters()).toMatchObject({ connections: 0 }));
    await eventually(() => expect(rig.entries.map(({ termination }) => termination)).toEqual(['KH', 'KH']));
    const [backend] = (await rig.counters()).backends;
    expect(backend).toMatchObject({ scur: 0, qcur: 0 });
  });

  test.each(['direct', 'compat'] as const)(
    'serves requests that still come over idle connections of the %s lane, each as the last one',
    async (httpLane) => {
      const options = { ...frontendConfig().options, httpLane };
      const [port = 0] = await rig.apply(serving({ frontends: [{ options }], closeSpread: 60_000 }));
      const clients = await Promise.all(Array.from({ length: 20 }, () => client(port)));
      for (const one of clients) one.send(GET);
      for (const one of clients) await one.answer();
      const drained = rig.drain(60_000);
      await eventually(async () => expect(await listens(port)).toBe(false));
      for (const one of clients) {
        one.send(GET);
        const answer = await one.answer();
        expect(answer.line).toBe('HTTP/1.1 200 OK');
        expect(values(answer, 'connection')).toEqual(['close']);
        await one.gone();
        expect(one.error).toBeUndefined();
      }
      expect(await drained).toBe(0);
    },
  );

  test.each(['direct', 'compat'] as const)(
    'ends idle connections of the %s lane one after the other, without a reset',
    async (httpLane) => {
      const options = { ...frontendConfig().options, httpLane };
      const [port = 0] = await rig.apply(serving({ frontends: [{ options }], closeSpread: 400 }));
      const clients = await Promise.all(Array.from({ length: 20 }, () => client(port)));
      for (const one of clients) one.send(GET);
      for (const one of clients) await one.answer();
      const endedAt: number[] = [];
      for (const { socket } of clients) socket.once('end', () => endedAt.push(performance.now()));
      expect(await rig.drain(60_000)).toBe(0);
      for (const one of clients) await one.gone();
      expect(clients.filter(({ error }) => error)).toEqual([]);
      expect(Math.max(...endedAt) - Math.min(...endedAt)).toBeGreaterThan(50);
    },
  );

  test('of a plane with nothing to do is over at once', async () => {
    await rig.apply(serving());
    expect(await rig.drain(60_000)).toBe(0);
  });

  test('cuts relayed connections too', async () => {
    const [port = 0] = await rig.apply(
      serving({ frontends: [{ mode: 'tcp' }], backends: [{ mode: 'tcp' }] }),
    );
    const answers = heldBack();
    const running = await client(port);
    running.send(GET);
    await held(answers);
    expect(await rig.drain(20)).toBe(1);
    await running.gone();
  });
});

describe('counters', () => {
  test('tell what frontends, backends and servers have done', async () => {
    const setup = serving({
      frontends: [{ httpRequest: [parseRule('deny if { path /no }')], useBackend: [parseUse('web')] }],
    });
    const [port = 0] = await rig.apply(setup);
    const asking = await client(port);
    for (const path of ['/', '/', '/no']) {
      asking.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await asking.answer();
    }
    expect(await ask(port, 'nonsense\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
    await eventually(async () => {
      const { connections, frontends, backends } = await rig.counters();
      expect(connections).toBe(1);
      expect(frontends).toMatchObject([
        {
          ...{ name: 'www', mode: 'http', slim: 1_000, scur: 1, stot: 2, connTot: 2, reqTot: 4, ereq: 1 },
          ...{ hrsp2xx: 2, hrsp4xx: 2, dreq: 1, intercepted: 0, dcon: 0 },
        },
      ]);
      expect(backends).toMatchObject([
        {
          ...{ name: 'web', mode: 'http', scur: 0, stot: 2, reqTot: 2, hrsp2xx: 2, lbtot: 2, noServer: 0 },
          ...{ connect: 1, reuse: 1, duration: { count: 2 } },
          servers: [
            {
              ...{ id: `127.0.0.1:${origin.port}`, reqTot: 2, connect: 1, reuse: 1 },
              ...{ idleConnections: 1, usedConnections: 0 },
            },
          ],
        },
      ]);
    });
    const [frontend] = (await rig.counters()).frontends;
    expect(frontend?.bin).toBeGreaterThan(0);
    expect(frontend?.bout).toBeGreaterThan(frontend?.bin ?? 0);
    expect(rig.entries).toHaveLength(4);
  });

  test('survive reloads', async () => {
    const [port = 0] = await rig.apply(serving());
    await ask(port);
    const before = await rig.counters();
    await rig.apply(serving({ backends: [{ retries: 0, balance: { kind: 'leastconn' } }] }));
    await ask(port);
    const after = await rig.counters();
    expect(after.frontends[0]?.reqTot).toBe((before.frontends[0]?.reqTot ?? 0) + 1);
    expect(after.backends[0]?.servers[0]?.reqTot).toBe(2);
  });
});

describe('close', () => {
  test('ends everything at once', async () => {
    const [port = 0] = await rig.apply(serving());
    const answers = heldBack();
    const running = await client(port);
    running.send(GET);
    await held(answers);
    rig.plane.close();
    await running.gone();
    expect(await listens(port)).toBe(false);
    await eventually(() => expect(rig.plane.connections).toBe(0));
    expect(rig.errors).toEqual([]);
  });
});

test('a plane that is closed while it opens its listeners keeps none of them', async () => {
  const [address = ''] = await freeAddresses(1);
  const port = Number(address.split(':')[1]);
  const bind = [{ host: '127.0.0.1', port }];
  const frontends = [frontendConfig({ bind })];
  const config = { type: 'config', generation: 1, maxconn: 10, closeSpread: 0 } as const;
  rig.control.post({ ...config, frontends, backends: [], sets: [] });
  // The message arrives, and listening begins.
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  rig.plane.close();
  await eventually(async () => {
    await using other = createServer();
    await new Promise<void>((resolve, reject) => {
      other.once('error', reject);
      other.listen(port, '127.0.0.1', resolve);
    });
  });
});
