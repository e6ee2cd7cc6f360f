import { describe, expect, test } from 'vitest';
import { PlaneGroup } from '../../../src/control/plane-group.ts';
import type { FromPlane } from '../../../src/proxy/plane/messages.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { frontendConfig } from '../proxy/fixtures.ts';
import { backendRow, frontendRow, serverRow } from './counter-rows.ts';
import { config, server, set, setUp } from './group-scene.ts';
import { ScriptedWorker } from './scripted-worker.ts';

describe('a configuration', () => {
  test('is taken by all, on the same sockets, with their share of each limit', async () => {
    const { tell, at, sockets, heard } = await setUp(3);
    const limited = set(1, 'open').servers.map((one) => ({ ...one, maxconn: 10 }));
    await tell(
      config({
        maxconn: 100,
        frontends: [frontendConfig({ maxconn: 50, bind: [{ host: '127.0.0.1', port: 80 }] })],
        sets: [{ backend: 'web', revision: 1, servers: limited }],
      }),
    );
    for (const i of [0, 1, 2]) {
      expect(at(i).sockets).toEqual(sockets);
      expect(at(i).told('config')).toMatchObject([
        {
          maxconn: 34,
          frontends: [{ maxconn: 17 }],
          backends: [{ maxqueue: 342 }],
          sets: [{ servers: [{ maxconn: 4 }] }],
        },
      ]);
    }
    expect(heard('applied')).toEqual([
      {
        type: 'applied',
        generation: 1,
        listening: [{ frontend: 'www', bind: { host: '127.0.0.1', port: 80 }, port: 8080 }],
      },
    ]);
  });

  test('with an address that is taken reaches nobody', async () => {
    const { tell, at, taken, sockets, heard } = await setUp();
    taken.add(81);
    const bind = [80, 81].map((port) => ({ host: '127.0.0.1', port }));
    await tell(config({ frontends: [frontendConfig({ bind })] }));
    const message = 'bind EADDRINUSE: address already in use';
    expect(heard('rejected')).toEqual([
      { type: 'rejected', generation: 1, problems: [{ frontend: 'www', bind: bind[1], message }] },
    ]);
    expect(at(0).told('config')).toEqual([]);
    expect(sockets.map(({ open }) => open)).toEqual([false]);
  });

  test('that one worker refuses is given to no other', async () => {
    const { tell, at, sockets, heard } = await setUp();
    at(0).refuses = 'listen EADDRINUSE';
    await tell(config());
    expect(heard('rejected')).toMatchObject([
      { generation: 1, problems: [{ message: 'listen EADDRINUSE' }] },
    ]);
    expect(at(1).told('config')).toEqual([]);
    expect(sockets.map(({ open }) => open)).toEqual([false]);
  });

  test('that the first worker dies of is refused, and the next worker gets the one in force', async () => {
    const { tell, at, clock, heard } = await setUp();
    await tell(config());
    at(0).mute.add('config');
    await tell(config({ generation: 2, maxconn: 7 }));
    expect(heard('rejected')).toEqual([]);
    at(0).die();
    await settle();
    expect(heard('rejected')).toEqual([
      { type: 'rejected', generation: 2, problems: [], why: 'worker 1 has ended: signal SIGKILL' },
    ]);
    expect(at(1).told('config')).toHaveLength(1);
    await clock.advanceAsync(1_000);
    expect(at(2).told('config')).toMatchObject([{ maxconn: 500 }]);
  });

  test('that the first worker does not answer is refused, and the worker ended', async () => {
    const { tell, at, clock, heard } = await setUp();
    at(0).mute.add('config');
    await tell(config());
    await clock.advanceAsync(6_000);
    expect(heard('rejected')).toHaveLength(1);
    expect(at(0).alive).toBe(false);
  });

  test('is led by the first worker that answers, so that a stuck one costs nothing but time', async () => {
    const { tell, at, clock, heard } = await setUp();
    await tell(config());
    at(0).mute.add('collect').add('config');
    await tell(config({ generation: 2 }));
    expect(at(1).told('config')).toHaveLength(2);
    // It is told as well, and waited for only so long.
    expect(at(0).told('config')).toHaveLength(2);
    await clock.advanceAsync(9_000);
    expect(heard('applied').map(({ generation }) => generation)).toEqual([1, 2]);
    expect(heard('rejected')).toEqual([]);
    expect(at(0).alive).toBe(true);
  });

  test('waits for a worker that is just starting, and is refused when none answers, which ends nobody', async () => {
    const { tell, at, clock, heard } = await setUp(1);
    await tell(config());
    at(0).mute.add('collect').add('config');
    await tell(config({ generation: 2 }));
    await clock.advanceAsync(1_000);
    expect(heard('rejected')).toEqual([]);
    await clock.advanceAsync(4_000);
    expect(heard('rejected')).toEqual([
      { type: 'rejected', generation: 2, problems: [], why: 'no worker answers' },
    ]);
    expect(at(0).alive).toBe(true);
  });

  test('does not wait for ever for the other workers', async () => {
    const { tell, at, clock, heard } = await setUp();
    at(1).mute.add('config');
    await tell(config());
    expect(heard('applied')).toEqual([]);
    await clock.advanceAsync(9_000);
    expect(heard('applied')).toHaveLength(1);
    expect(at(1).alive).toBe(true);
  });

  test('that only another worker refuses stays, and that worker is replaced', async () => {
    const { tell, at, clock, heard } = await setUp();
    at(1).refuses = 'no';
    await tell(config());
    expect(heard('applied')).toHaveLength(1);
    expect(at(1).alive).toBe(false);
    await clock.advanceAsync(1_000);
    expect(at(2).told('config')).toHaveLength(1);
  });

  test('closes sockets that nobody needs any more only when all have taken it', async () => {
    const { tell, at, sockets, heard } = await setUp();
    await tell(config());
    at(1).mute.add('config');
    const bind = [{ host: '127.0.0.1', port: 81 }];
    await tell(config({ generation: 2, frontends: [frontendConfig({ bind })] }));
    expect(sockets.map(({ port, open }) => ({ port, open }))).toEqual([
      { port: 80, open: true },
      { port: 81, open: true },
    ]);
    const [, second] = at(1).told('config');
    if (second) at(1).answer(second);
    await settle();
    expect(sockets.map(({ open }) => open)).toEqual([false, true]);
    expect(heard('applied')).toHaveLength(2);
  });

  test('holds changes of servers back until it is clear whether it is taken', async () => {
    const { tell, at } = await setUp();
    await tell(config());
    at(0).mute.add('config');
    await tell(config({ generation: 2, sets: [] }));
    await tell({ type: 'servers', set: set(2, 'none') });
    expect([0, 1].map((i) => at(i).told('servers'))).toEqual([[], []]);
    const [, second] = at(0).told('config');
    if (second) at(0).answer(second);
    await settle();
    for (const i of [0, 1]) {
      expect(at(i).told('servers')).toEqual([{ type: 'servers', set: set(2, 'none') }]);
      const types = at(i).sent.flatMap((one) => (one.type === 'plane' ? one.message.type : []));
      expect(types.filter((type) => type !== 'collect')).toEqual(['config', 'config', 'servers']);
    }
  });
});

describe('a worker that dies', () => {
  test('is replaced after a second, then two, up to half a minute, and after a long life after one again', async () => {
    const { tell, workers, at, clock, group } = await setUp(1);
    await tell(config());
    let expected = 1_000;
    for (let i = 0; i < 7; i++) {
      at(i).die();
      await clock.advanceAsync(expected - 1);
      expect(workers).toHaveLength(i + 1);
      expect(group.workers).toEqual({ running: 0, draining: 0, restarts: i });
      await clock.advanceAsync(1);
      expect(workers).toHaveLength(i + 2);
      expected = Math.min(30_000, expected * 2);
    }
    await clock.advanceAsync(60_000);
    at(7).die();
    await clock.advanceAsync(1_000);
    expect(workers).toHaveLength(9);
    expect(group.workers).toEqual({ running: 1, draining: 0, restarts: 8 });
  });

  test('is replaced by one that knows all that the others know', async () => {
    const { tell, at, clock, group, sockets } = await setUp();
    await tell(config());
    group.set({ log: { level: 'debug', format: 'pretty' }, hardStopAfter: 9 });
    await tell({ type: 'servers', set: set(5, 'draining') });
    at(0).die();
    await tell({ type: 'servers', set: set(6, 'none') });
    await clock.advanceAsync(1_000);
    const settings = { worker: 1, log: { level: 'debug', format: 'pretty' }, hardStopAfter: 9 };
    expect(at(2).sent.filter(({ type }) => type === 'settings')).toEqual([{ type: 'settings', settings }]);
    expect(at(2).sockets).toEqual(sockets);
    expect(at(2).told('config')).toMatchObject([{ maxconn: 500, sets: [{ revision: 6, servers: [] }] }]);
    expect(at(1).told('config')).toHaveLength(1);
  });

  test('has the key of TLS sessions that the others have, before it takes a connection', async () => {
    const { tell, at, clock } = await setUp();
    const [first, second] = [new Uint8Array(48), new Uint8Array(48).fill(1)];
    await tell({ type: 'tickets', key: first });
    await tell(config());
    await tell({ type: 'tickets', key: second });
    at(0).die();
    await clock.advanceAsync(1_000);
    expect(
      at(1)
        .told('tickets')
        .map(({ key }) => key),
    ).toEqual([first, second]);
    const said = at(2).sent.flatMap((message) => (message.type === 'plane' ? message.message.type : []));
    expect(said.filter((type) => type === 'tickets' || type === 'config')).toEqual(['tickets', 'config']);
    expect(at(2).told('tickets')).toMatchObject([{ key: second }]);
  });

  test('that says nothing for long is ended', async () => {
    const { at, clock, lines } = await setUp();
    at(0).mute.add('collect');
    await clock.advanceAsync(20_000);
    expect(at(0).alive).toBe(true);
    await clock.advanceAsync(20_000);
    expect(at(0).alive).toBe(false);
    expect(at(1).alive).toBe(true);
    expect(lines.map(({ message }) => message)).toContain('worker is stuck, and is ended');
  });

  test('that cannot even start ends the start', async () => {
    const { log } = recordedLog();
    const clock = new FakeClock();
    const workers: ScriptedWorker[] = [];
    const group = new PlaneGroup({
      size: 2,
      spawn: () => {
        const worker = new ScriptedWorker();
        worker.mute.add('collect');
        workers.push(worker);
        return worker;
      },
      bind: () => Promise.reject(new Error('not asked for')),
      settings: { log: { level: 'info', format: 'json' }, hardStopAfter: 5_000 },
      clock,
      log,
    });
    const started = expect(group.start()).rejects.toMatchObject({ code: 'INTERNAL' });
    await settle();
    workers[0]?.die('exit code 1');
    await started;
    await settle();
    expect(workers.map(({ alive }) => alive)).toEqual([false, false]);
    expect(clock.pending).toBe(0);
  });
});

describe('counters', () => {
  const one = (requests: number, sessions = 0) => ({
    connections: sessions,
    frontends: [frontendRow({ slim: 500, reqTot: requests, scur: sessions, smax: sessions })],
    backends: [backendRow({ reqTot: requests, servers: [serverRow({ id: server.id, reqTot: requests })] })],
  });

  test('are those of all workers, with the whole limit', async () => {
    const { tell, at, counters } = await setUp();
    await tell(config());
    at(0).counters = one(3, 2);
    at(1).counters = one(4, 5);
    expect(await counters()).toMatchObject({
      connections: 7,
      frontends: [{ name: 'www', slim: 1_000, reqTot: 7, scur: 7, smax: 7 }],
      backends: [{ reqTot: 7, servers: [{ id: server.id, reqTot: 7 }] }],
    });
  });

  test('do not fall when a worker dies, nor do peaks when work ends; what is open there is gone', async () => {
    const { tell, at, counters, clock } = await setUp();
    await tell(config());
    at(0).counters = one(3, 2);
    at(1).counters = one(4, 5);
    await counters();
    at(0).die();
    expect(await counters()).toMatchObject({
      connections: 5,
      frontends: [{ reqTot: 7, scur: 5, smax: 7 }],
      backends: [{ reqTot: 7, servers: [{ reqTot: 7 }] }],
    });
    await clock.advanceAsync(1_000);
    at(2).counters = one(1, 1);
    expect(await counters()).toMatchObject({ frontends: [{ reqTot: 8, scur: 6, smax: 7 }] });
  });

  test('are collected all the time, so that little dies with a worker', async () => {
    const { tell, at, counters, clock } = await setUp();
    await tell(config());
    at(0).counters = one(9);
    await clock.advanceAsync(2_000);
    at(0).die();
    expect(await counters()).toMatchObject({ frontends: [{ reqTot: 9 }] });
  });

  test('of a worker that is late are its last ones', async () => {
    const { tell, at, counters, clock, heard } = await setUp();
    await tell(config());
    at(0).counters = one(3);
    at(1).counters = one(4);
    await counters();
    at(0).mute.add('collect');
    at(0).counters = one(5);
    at(1).counters = one(6);
    await tell({ type: 'collect', id: 78 });
    expect(heard('counters').map(({ id }) => id)).toEqual([77]);
    await clock.advanceAsync(2_000);
    expect(heard('counters').at(-1)).toMatchObject({ id: 78, counters: { frontends: [{ reqTot: 9 }] } });
  });

  test('of ended workers go with what they are of', async () => {
    const { tell, at, counters } = await setUp(1);
    await tell(config());
    at(0).counters = one(3);
    await counters();
    at(0).die();
    expect(await counters()).toMatchObject({ frontends: [{ reqTot: 3 }], backends: [{ servers: [{}] }] });
    await tell({ type: 'servers', set: set(2, 'none') });
    expect((await counters()).backends).toMatchObject([{ name: 'web', servers: [] }]);
  });

  test('lines that were dropped are counted over all workers, dead ones too', async () => {
    const { at, group, counters } = await setUp();
    at(0).accessDropped = 3;
    at(1).accessDropped = 4;
    await counters();
    at(0).die();
    expect(group.accessDropped).toBe(7);
  });
});

describe('a drain', () => {
  test('is over when it is in every worker, and what was cut is added up', async () => {
    const { tell, at, heard, sockets } = await setUp();
    await tell(config());
    at(1).mute.add('drain');
    await tell({ type: 'drain', withinMs: 4_000 });
    expect(heard('drained')).toEqual([]);
    // Nobody waits in vain to be accepted.
    expect(sockets.map(({ open }) => open)).toEqual([false]);
    at(1).say({ type: 'drained', cut: 5 });
    await settle();
    expect(heard('drained')).toEqual([{ type: 'drained', cut: 6 }]);
  });

  test('does not wait for a worker that dies or is stuck, and starts no other', async () => {
    const { tell, at, heard, clock, workers } = await setUp(3);
    await tell(config());
    at(0).mute.add('drain');
    at(1).mute.add('drain');
    await tell({ type: 'drain', withinMs: 4_000 });
    at(0).die();
    await clock.advanceAsync(4_900);
    expect(heard('drained')).toEqual([{ type: 'drained', cut: 1 }]);
    await clock.advanceAsync(60_000);
    expect(workers).toHaveLength(3);
  });

  test('nothing is taken after it', async () => {
    const { tell, heard } = await setUp();
    await tell({ type: 'drain', withinMs: 0 });
    await tell(config());
    expect(heard('rejected')).toEqual([{ type: 'rejected', generation: 1, problems: [] }]);
  });
});

test('trouble and what comes of it is passed on', async () => {
  const { at, said } = await setUp();
  const trouble: FromPlane = {
    ...{ type: 'trouble', backend: 'web', server: 'a', code: 'CONNECT_REFUSED', message: 'x' },
  };
  const steered: FromPlane = {
    ...{ type: 'steered', backend: 'web', server: 'a', out: true, cause: 'connect', why: 'x', forMs: 1 },
  };
  const observed: FromPlane = {
    ...{ type: 'observed', backend: 'web', server: 'a', errors: 10, onError: 'mark-down' },
  };
  for (const message of [trouble, steered, observed]) at(1).say(message);
  await settle();
  expect(said).toEqual([trouble, steered, observed]);
});
