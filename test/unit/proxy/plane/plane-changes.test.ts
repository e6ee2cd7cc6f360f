import { expect, onTestFinished, test } from 'vitest';
import type { ServerChange } from '../../../../src/balance/server.ts';
import type { BalanceAlgorithm } from '../../../../src/config/runtime/balance.ts';
import { VaneError } from '../../../../src/core/errors.ts';
import { silentLog } from '../../../../src/core/log.ts';
import { localChannel } from '../../../../src/proxy/plane/channel.ts';
import type { LeaseOutcome } from '../../../../src/proxy/plane/lease.ts';
import type { FromPlane, ToPlane } from '../../../../src/proxy/plane/messages.ts';
import { Plane } from '../../../../src/proxy/plane/plane.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const [A, B, C] = [serverSnapshot('a'), serverSnapshot('b'), serverSnapshot('c')];

/** Work that has met nobody. */
const REFUSED: LeaseOutcome = {
  error: new VaneError('CONNECT_REFUSED', 'refused'),
  status: undefined,
  reused: undefined,
  ...{ queuedMs: 0, connectMs: undefined, responseMs: undefined, totalMs: 1 },
  ...{ bytesIn: 0, bytesOut: 0 },
  next: undefined,
};

const MAP_BASED: BalanceAlgorithm = {
  kind: 'hash',
  by: { kind: 'source' },
  hash: { type: 'map-based', function: 'sdbm', avalanche: false, key: 'id', balanceFactor: 0 },
};

/** A plane whose backend has A, by revision 1. */
async function setUp(backend = backendConfig()) {
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
    backends: [backend],
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
  await change(2, { servers: [C, { ...A, rank: 2 }] });
  const given = [1, 2, 3].map(() => {
    const lease = plane.backend('web')?.acquire({ tried: new Set(), stay: undefined });
    return lease && 'server' in lease ? lease.server.name : undefined;
  });
  expect(given).toEqual(['c', 'b', 'a']);
});

test('a backend that a reload has replaced says nothing of servers in the name of the new one', async () => {
  const { tell, change, said, plane } = await setUp();
  const lease = plane.backend('web')?.acquire({ tried: new Set(), stay: undefined });
  await change(1, { servers: [{ ...A, admission: 'draining' }] });
  const sets = [{ backend: 'web', revision: 7, servers: [A] }];
  const backends = [backendConfig({ mode: 'tcp' })];
  await tell({ type: 'config', generation: 2, maxconn: 9, closeSpread: 0, frontends: [], backends, sets });
  said.length = 0;
  if (lease && 'done' in lease) lease.done(REFUSED);
  await settle();
  expect(said).toEqual([]);
});

test('a whole set brings its own order, so that planes which missed nothing hash the same', async () => {
  const { tell, change, plane } = await setUp(backendConfig({ balance: MAP_BASED }));
  await change(1, { servers: [B] });
  await tell({ type: 'servers', set: { backend: 'web', revision: 5, servers: [C, B, A] } });
  const hashed = [0, 1, 2].map((third) => {
    const key = Math.floor(((third + 0.5) / 3) * 2 ** 32);
    const lease = plane.backend('web')?.acquire({ tried: new Set(), stay: undefined, key });
    return lease && 'server' in lease ? lease.server.name : undefined;
  });
  expect(hashed).toEqual(['c', 'b', 'a']);
});
