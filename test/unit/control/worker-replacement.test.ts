import { describe, expect, test } from 'vitest';
import type { FromPlane } from '../../../src/proxy/plane/messages.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { frontendRow } from './counter-rows.ts';
import { config, server, set, setUp } from './group-scene.ts';
import type { ScriptedWorker } from './scripted-worker.ts';

const retired = (worker: ScriptedWorker) => worker.sent.filter(({ type }) => type === 'retire');

const counted = (reqTot: number) => ({
  connections: 0,
  frontends: [frontendRow({ slim: 500, reqTot })],
  backends: [],
});

async function setUpServing(...args: Parameters<typeof setUp>) {
  const scene = await setUp(...args);
  await scene.tell(config());
  const messages = () => scene.lines.map(({ message }) => message);
  return { ...scene, messages };
}

describe('replacing workers', () => {
  test('gives each new one what the others know before the one in its place stops to accept', async () => {
    const { at, workers, group, sockets, tell, lines } = await setUpServing();
    await tell({ type: 'servers', set: set(4, 'open') });
    await group.replaceWorkers();
    expect(workers).toHaveLength(4);
    for (const i of [2, 3]) {
      expect(at(i).sockets).toEqual(sockets);
      expect(at(i).told('config')).toMatchObject([{ maxconn: 500, sets: [{ revision: 4 }] }]);
      expect(retired(at(i))).toEqual([]);
    }
    for (const i of [0, 1]) {
      expect(retired(at(i))).toEqual([{ type: 'retire', withinMs: 5_000 }]);
      expect(at(i).alive).toBe(false);
    }
    expect(group.workers).toEqual({ running: 2, draining: 0, restarts: 0 });
    expect(lines.at(-1)).toMatchObject({
      level: 'info',
      fields: { replaced: 2, of: 2, cut: 2 },
      message: 'workers have been replaced',
    });
  });

  test('hands over one place at a time, and lets those that were replaced finish together', async () => {
    const { at, workers, group, tell } = await setUpServing(3);
    for (const i of [0, 1, 2]) at(i).mute.add('drain');
    const done = group.replaceWorkers();
    await settle();
    expect(workers).toHaveLength(6);
    expect(group.workers).toEqual({ running: 3, draining: 3, restarts: 0 });
    // They are still told of servers, for they may have to try another one.
    await tell({ type: 'servers', set: set(9, 'none') });
    for (const i of [0, 1, 2]) expect(at(i).told('servers').at(-1)).toMatchObject({ set: { revision: 9 } });
    // A configuration is none of theirs.
    await tell(config({ generation: 2 }));
    expect([0, 1, 2, 3, 4, 5].map((i) => at(i).told('config').length)).toEqual([1, 1, 1, 2, 2, 2]);
    for (const i of [0, 1, 2]) at(i).say({ type: 'drained', cut: 0 });
    await done;
    expect(workers.map(({ alive }) => alive)).toEqual([false, false, false, true, true, true]);
  });

  test('starts the next one only when the one before is up', async () => {
    const { at, workers, group, clock } = await setUpServing();
    const done = group.replaceWorkers();
    at(2).mute.add('config');
    await settle();
    expect(workers).toHaveLength(3);
    expect(retired(at(0))).toEqual([]);
    const [first] = at(2).told('config');
    if (first) at(2).answer(first);
    await done;
    expect(workers).toHaveLength(4);
    await clock.advanceAsync(0);
    expect(at(0).alive).toBe(false);
  });

  test.each([
    ['refuses its configuration', (one: ScriptedWorker) => (one.refuses = 'no')],
    ['dies', (one: ScriptedWorker) => one.die('exit code 1')],
    ['says nothing for half a minute', (one: ScriptedWorker) => one.mute.add('config')],
  ])('changes nothing when the new one %s', async (_, fail) => {
    const { at, workers, group, clock, lines, tell } = await setUpServing();
    const done = group.replaceWorkers();
    fail(at(2));
    await settle();
    await clock.advanceAsync(30_000);
    await done;
    expect(workers.map(({ alive }) => alive)).toEqual([true, true, false]);
    expect(retired(at(0))).toEqual([]);
    expect(group.workers).toEqual({ running: 2, draining: 0, restarts: 0 });
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
      { fields: { replaced: 0, of: 2 }, message: expect.stringMatching(/^workers not replaced/) },
    ]);
    // And another time it works.
    await clock.advanceAsync(60_000);
    expect(workers).toHaveLength(3);
    await tell(config({ generation: 2 }));
    await group.replaceWorkers();
    expect(workers.map(({ alive }) => alive)).toEqual([false, false, false, true, true]);
  });

  test('keeps what was handed over when a later one does not come up', async () => {
    const { at, workers, group, lines } = await setUpServing(3, (worker, i) => {
      if (i === 4) worker.refuses = 'no';
    });
    await group.replaceWorkers();
    expect(workers.map(({ alive }) => alive)).toEqual([false, true, true, true, false]);
    expect(retired(at(1))).toEqual([]);
    expect(group.workers).toEqual({ running: 3, draining: 0, restarts: 0 });
    const fields = { replaced: 1, of: 3, error: 'worker 2 refuses what another has taken, and is ended' };
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields }]);
  });

  test('asked for while it is under way is done once more after that, however often', async () => {
    const { at, workers, group, messages } = await setUpServing(1);
    at(0).mute.add('drain');
    const done = group.replaceWorkers();
    await settle();
    for (let i = 0; i < 3; i++) await group.replaceWorkers();
    expect(workers).toHaveLength(2);
    at(0).say({ type: 'drained', cut: 0 });
    await done;
    expect(workers).toHaveLength(3);
    expect(messages().filter((message) => message === 'workers have been replaced')).toHaveLength(2);
    expect(messages().filter((message) => /once more/.test(message))).toHaveLength(3);
  });

  test('ends one that does not end itself within hard-stop-after', async () => {
    const { at, group, clock, messages } = await setUpServing(1);
    at(0).mute.add('drain');
    const done = group.replaceWorkers();
    await settle();
    await clock.advanceAsync(5_700);
    expect(at(0).alive).toBe(true);
    await clock.advanceAsync(200);
    await done;
    expect(at(0).alive).toBe(false);
    expect(messages()).toContain('worker that was replaced did not end as it should, and was ended');
  });

  test('starts no third one when a worker dies while the next one comes up', async () => {
    const { at, workers, group, clock } = await setUpServing(1);
    const done = group.replaceWorkers();
    at(1).mute.add('config');
    await settle();
    at(0).die();
    await clock.advanceAsync(10_000);
    expect(workers).toHaveLength(2);
    const [first] = at(1).told('config');
    if (first) at(1).answer(first);
    await done;
    expect(workers.map(({ alive }) => alive)).toEqual([false, true]);
    expect(group.workers).toEqual({ running: 1, draining: 0, restarts: 1 });
  });

  test('fills a place whose worker and whose next one have both died', async () => {
    const { at, workers, group, clock } = await setUpServing(1);
    const done = group.replaceWorkers();
    at(1).mute.add('config');
    await settle();
    at(0).die();
    at(1).die();
    await done;
    await clock.advanceAsync(1_000);
    expect(workers.map(({ alive }) => alive)).toEqual([false, false, true]);
    expect(group.workers).toEqual({ running: 1, draining: 0, restarts: 1 });
  });

  test('fills at once a place that waits for another start', async () => {
    const { at, workers, group, clock } = await setUpServing(1);
    at(0).die();
    await group.replaceWorkers();
    expect(workers.map(({ alive }) => alive)).toEqual([false, true]);
    await clock.advanceAsync(60_000);
    expect(workers).toHaveLength(2);
  });

  test('lets no counter fall, and loses none of what the last requests counted', async () => {
    const { at, group, counters } = await setUpServing(1);
    at(0).mute.add('drain');
    at(0).counters = counted(10);
    expect(await counters()).toMatchObject({ frontends: [{ reqTot: 10 }] });
    const done = group.replaceWorkers();
    await settle();
    at(1).counters = counted(3);
    expect(await counters()).toMatchObject({ frontends: [{ reqTot: 13, slim: 1_000 }] });
    // What it does at the very end nobody has asked it for yet.
    at(0).counters = counted(12);
    at(0).say({ type: 'drained', cut: 0 });
    await done;
    expect(at(0).alive).toBe(false);
    expect(await counters()).toMatchObject({ frontends: [{ reqTot: 15 }] });
  });

  test('waits for those that were replaced before it calls a draining server idle', async () => {
    const { at, group, tell, heard } = await setUpServing(1);
    at(0).mute.add('drain');
    const done = group.replaceWorkers();
    await settle();
    await tell({ type: 'servers', set: set(2, 'draining') });
    const idle: FromPlane = { type: 'idle', backend: 'web', server: server.id, revision: 2 };
    at(1).say(idle);
    await settle();
    expect(heard('idle')).toEqual([]);
    at(0).say({ type: 'drained', cut: 0 });
    await done;
    await settle();
    expect(heard('idle')).toEqual([idle]);
  });
});

describe('a stop while workers are replaced', () => {
  test('lets all of them finish, and ends in time', async () => {
    const { at, workers, group, tell, heard, clock } = await setUpServing(1);
    at(0).mute.add('drain');
    const done = group.replaceWorkers();
    await settle();
    await tell({ type: 'drain', withinMs: 1_000 });
    expect(at(1).told('drain')).toHaveLength(1);
    expect(heard('drained')).toEqual([]);
    // Before the deadline it was given when it was replaced.
    await clock.advanceAsync(1_000);
    expect(at(0).alive).toBe(false);
    expect(heard('drained')).toEqual([{ type: 'drained', cut: 1 }]);
    await group.stop();
    await done;
    expect(workers.map(({ alive }) => alive)).toEqual([false, false]);
  });

  test('first waits for one that comes up, so that nobody holds sockets without accepting', async () => {
    const { at, group, sockets, tell } = await setUpServing(2);
    const done = group.replaceWorkers();
    at(2).mute.add('config');
    await settle();
    await tell({ type: 'drain', withinMs: 10_000 });
    expect([0, 1, 2].map((i) => at(i).told('drain').length)).toEqual([0, 0, 0]);
    expect(sockets.map(({ open }) => open)).toEqual([true]);
    const [first] = at(2).told('config');
    if (first) at(2).answer(first);
    await settle();
    expect([0, 1, 2].map((i) => at(i).told('drain').length)).toEqual([1, 1, 1]);
    await done;
  });

  test('does not wait for long for one that does not come up', async () => {
    const { at, group, tell, clock } = await setUpServing(1);
    const done = group.replaceWorkers();
    at(1).mute.add('config');
    await settle();
    await tell({ type: 'drain', withinMs: 10_000 });
    await clock.advanceAsync(2_000);
    expect(at(0).told('drain')).toEqual([{ type: 'drain', withinMs: 8_000 }]);
    await group.stop();
    await done;
  });

  test('starts no more of them', async () => {
    const { at, workers, group, tell, messages } = await setUpServing(2);
    const done = group.replaceWorkers();
    at(2).mute.add('config');
    await settle();
    await group.replaceWorkers();
    await tell({ type: 'drain', withinMs: 1_000 });
    const [first] = at(2).told('config');
    if (first) at(2).answer(first);
    await done;
    await group.stop();
    expect(workers.map(({ alive }) => alive)).toEqual([false, false, false]);
    expect(messages()).not.toContain('workers have been replaced');
  });
});
