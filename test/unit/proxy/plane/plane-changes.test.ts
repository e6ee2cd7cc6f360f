import { expect, onTestFinished, test } from 'vitest';
import type { ServerChange } from '../../../../src/balance/server.ts';
import { silentLog } from '../../../../src/core/log.ts';
import { localChannel } from '../../../../src/proxy/plane/channel.ts';
import type { FromPlane, ToPlane } from '../../../../src/proxy/plane/messages.ts';
import { Plane } from '../../../../src/proxy/plane/plane.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const [A, B] = [serverSnapshot('a'), serverSnapshot('b')];

/** A plane whose backend has A, by revision 1. */
async function setUp() {
  const { control, plane: end } = localChannel();
  const plane = new Plane({
    channel: end,
    clock: new FakeClock(),
    random: () => 0,
    log: silentLog,
    access: () => {},
  });
  onTestFinished(() => plane.close());
  const said: FromPlane[] = [];
  control.onMessage((message) => said.push(message));
  const tell = async (message: ToPlane) => {
    control.post(message);
    await settle();
  };
  const change = (since: number, rest: Partial<ServerChange>) =>
    tell({
      type: 'change',
      change: { backend: 'web', since, revision: since + 1, servers: [], gone: [], ...rest },
    });
  const servers = () =>
    plane
      .backend('web')
      ?.counters()
      .servers.map(({ id }) => id);
  const sets = [{ backend: 'web', revision: 1, servers: [A] }];
  await tell({
    type: 'config',
    generation: 1,
    maxconn: 9,
    closeSpread: 0,
    frontends: [],
    backends: [backendConfig()],
    sets,
  });
  said.length = 0;
  return { tell, change, servers, said, plane };
}

test('a change adds, replaces and takes away, and leaves the others as they are', async () => {
  const { change, servers, plane, said } = await setUp();
  const lease = plane.backend('web')?.acquire({ tried: new Set(), stay: undefined });
  await change(1, { servers: [B] });
  expect(servers()).toEqual([A.id, B.id]);
  await change(2, { servers: [{ ...B, weight: 0 }] });
  await change(3, { gone: [B.id] });
  expect(servers()).toEqual([A.id]);
  expect(plane.backend('web')?.active).toBe(1);
  expect(lease && 'leave' in lease).toBe(false);
  expect(said).toEqual([]);
});

test('after a change that was missed the whole set is asked for, once, and nothing is taken until it is there', async () => {
  const { tell, change, servers, said } = await setUp();
  await change(2, { gone: [A.id] });
  await change(3, { servers: [B] });
  expect(said).toEqual([{ type: 'missed', backend: 'web' }]);
  expect(servers()).toEqual([A.id]);
  await tell({ type: 'servers', set: { backend: 'web', revision: 4, servers: [B] } });
  await change(4, { servers: [A] });
  expect(servers()).toEqual([B.id, A.id]);
  expect(said).toHaveLength(1);
});

test('a change is idle by its own revision', async () => {
  const { change, said } = await setUp();
  await change(1, { servers: [{ ...A, admission: 'draining' }] });
  expect(said).toEqual([{ type: 'idle', backend: 'web', server: A.id, revision: 2 }]);
});

test('new work goes by rank, then as servers came', async () => {
  const { change, plane } = await setUp();
  await change(1, { servers: [{ ...B, rank: 1 }] });
  await change(2, { servers: [serverSnapshot('c'), { ...A, rank: 2 }] });
  const given = [1, 2, 3].map(() => {
    const lease = plane.backend('web')?.acquire({ tried: new Set(), stay: undefined });
    return lease && 'server' in lease ? lease.server.name : undefined;
  });
  expect(given).toEqual(['c', 'b', 'a']);
});
