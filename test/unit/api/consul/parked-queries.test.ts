import { expect, test } from 'vitest';
import { ParkedQueries } from '../../../../src/api/consul/parked-queries.ts';
import { silentLog } from '../../../../src/core/log.ts';
import { Registry } from '../../../../src/registry/registry.ts';
import { createMemoryStore } from '../../../../src/registry/stores/memory.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';

const QUERY = { kind: 'services' } as const;
const never = () => () => {};

async function parked(limit = 10) {
  const clock = new FakeClock();
  const registry = new Registry({
    store: createMemoryStore(),
    clock,
    log: silentLog,
    node: { name: 'lb-1', address: '127.0.0.1', datacenter: 'dc1', meta: {} },
    random: () => 0.5,
  });
  await registry.start();
  const { catalog } = registry;
  return { clock, catalog, queries: new ParkedQueries({ catalog, clock, limit }) };
}

test('a wait ends between its length and a sixteenth more', async () => {
  const { queries, clock } = await parked();
  for (let i = 0; i < 100; i++) {
    const wait = queries.deadline(16_000) - clock.now();
    expect(wait).toBeGreaterThanOrEqual(16_000);
    expect(wait).toBeLessThanOrEqual(17_000);
  }
});

test('a query whose time is over leaves no timer and no listener', async () => {
  const { queries, clock, catalog } = await parked();
  const timers = clock.pending;
  const waiting = queries.changed(QUERY, catalog.index, clock.now() + 1_000, never);
  expect(queries.size).toBe(1);
  await clock.advanceAsync(999);
  expect(queries.size).toBe(1);
  await clock.advanceAsync(1);
  expect(await waiting).toBe(false);
  expect(queries.size).toBe(0);
  expect(clock.pending).toBe(timers);
});

test('what has changed already needs no place', async () => {
  const { queries, clock, catalog } = await parked(0);
  expect(await queries.changed(QUERY, catalog.indexOf(QUERY) - 1, clock.now() + 1_000, never)).toBe(true);
  await expect(
    queries.changed(QUERY, catalog.indexOf(QUERY), clock.now() + 1_000, never),
  ).rejects.toMatchObject({
    status: 429,
  });
});

test('after the release nothing waits', async () => {
  const { queries, clock, catalog } = await parked();
  const waiting = queries.changed(QUERY, catalog.index, clock.now() + 1_000, never);
  queries.release();
  expect(await waiting).toBe(false);
  expect(await queries.changed(QUERY, catalog.index, clock.now() + 1_000, never)).toBe(false);
  await settle();
  expect(queries.size).toBe(0);
});
