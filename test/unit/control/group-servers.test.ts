import { describe, expect, test } from 'vitest';
import type { ServerChange } from '../../../src/balance/server.ts';
import type { ToPlane } from '../../../src/proxy/plane/messages.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { serverSnapshot } from '../proxy/fixtures.ts';
import { config, idleSaid, server, set, setUp } from './group-scene.ts';

const other = serverSnapshot('b');
const change = (since: number, rest: Partial<ServerChange> = {}): ToPlane => ({
  type: 'change',
  change: { backend: 'web', since, revision: since + 1, servers: [], gone: [], ...rest },
});

test('a change of servers is told by what has changed, whatever else there is; a worker that comes later is told all', async () => {
  const { tell, at, clock } = await setUp();
  await tell(config());
  await tell(change(1, { servers: [{ ...other, maxconn: 9 }] }));
  for (const i of [0, 1]) {
    expect(at(i).told('change')).toEqual([change(1, { servers: [{ ...other, maxconn: 5 }] })]);
    expect(at(i).told('servers')).toEqual([]);
  }
  await tell(change(2, { gone: [server.id] }));
  at(0).die();
  await clock.advanceAsync(1_000);
  expect(at(2).told('config')).toMatchObject([{ sets: [{ revision: 3, servers: [{ id: other.id }] }] }]);
});

test('a change of servers after one that was missed is passed to nobody: the whole set is asked for', async () => {
  const { tell, at, heard } = await setUp();
  await tell(config());
  await tell(change(2));
  expect(at(0).told('change')).toEqual([]);
  expect(heard('missed')).toEqual([{ type: 'missed', backend: 'web' }]);
  await tell({ type: 'servers', set: set(3, 'open') });
  await tell(change(3));
  expect(at(0).told('change')).toEqual([change(3)]);
});

test('a change of servers that one worker has missed brings that one the whole set', async () => {
  const { tell, at, heard } = await setUp();
  await tell(config());
  await tell(change(1, { servers: [other] }));
  at(1).say({ type: 'missed', backend: 'web' });
  await settle();
  const whole = { backend: 'web', revision: 2, servers: [server, other] };
  expect(at(1).told('servers')).toEqual([{ type: 'servers', set: whole }]);
  expect(at(0).told('servers')).toEqual([]);
  expect(heard('missed')).toEqual([]);
});

test('a change of servers begins and ends drains as a whole set does', async () => {
  const { tell, at, heard } = await setUp();
  await tell(config());
  await tell(change(1, { servers: [{ ...server, admission: 'draining' }] }));
  await tell(change(2, { servers: [other] }));
  for (const i of [0, 1]) at(i).say(idleSaid(2));
  await settle();
  expect(heard('idle')).toEqual([idleSaid(2)]);
  await tell(change(3, { servers: [server] }));
  await tell(change(4, { servers: [{ ...server, admission: 'draining' }] }));
  for (const i of [0, 1]) at(i).say(idleSaid(2));
  await settle();
  expect(heard('idle')).toHaveLength(1);
});

test('a change of servers of a backend that is not configured is passed over', async () => {
  const { tell, at, said } = await setUp();
  await tell(config());
  said.length = 0;
  await tell({ type: 'change', change: { backend: 'x', since: 1, revision: 2, servers: [], gone: [] } });
  expect(at(0).told('change')).toEqual([]);
  expect(said).toEqual([]);
});

describe('a draining server', () => {
  test('is idle when every worker has said so', async () => {
    const { tell, at, heard } = await setUp();
    await tell(config());
    await tell({ type: 'servers', set: set(2, 'draining') });
    at(1).say(idleSaid(2));
    await settle();
    expect(heard('idle')).toEqual([]);
    at(0).say(idleSaid(2));
    await settle();
    expect(heard('idle')).toEqual([idleSaid(2)]);
    // Another set with the same drain in it is not another drain.
    await tell({ type: 'servers', set: set(3, 'draining') });
    expect(heard('idle')).toHaveLength(1);
  });

  test('is idle when the last worker that held work of it dies, and new workers do not count', async () => {
    const { tell, at, clock, heard } = await setUp();
    await tell(config());
    await tell({ type: 'servers', set: set(2, 'draining') });
    at(1).say(idleSaid(2));
    at(0).die();
    await settle();
    expect(heard('idle')).toEqual([idleSaid(2)]);
    await clock.advanceAsync(1_000);
    expect(at(2).told('config')).toMatchObject([{ sets: [{ revision: 2 }] }]);
    at(2).say(idleSaid(2));
    await settle();
    expect(heard('idle')).toHaveLength(1);
  });

  test('is not idle for what was said of an earlier drain', async () => {
    const { tell, at, heard } = await setUp();
    await tell(config());
    await tell({ type: 'servers', set: set(2, 'draining') });
    at(0).say(idleSaid(2));
    await tell({ type: 'servers', set: set(3, 'open') });
    await tell({ type: 'servers', set: set(4, 'draining') });
    // Said before the worker heard of the third set.
    at(1).say(idleSaid(2));
    at(0).say(idleSaid(4));
    await settle();
    expect(heard('idle')).toEqual([]);
    at(1).say(idleSaid(4));
    await settle();
    expect(heard('idle')).toEqual([idleSaid(4)]);
  });
});
