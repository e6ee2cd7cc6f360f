import { expect, test } from 'vitest';
import { ParkedQueries } from '../../../../src/api/consul/parked-queries.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { committing, putNode, putService } from '../../../helpers/registry-rows.ts';

const WEB = { kind: 'health-service', service: 'web' } as const;
const stays = () => () => {};

function parked(limit = 10) {
  const clock = new FakeClock();
  const { catalog, commit } = committing(10);
  const queries = new ParkedQueries({ catalog, clock, limit });
  const gone = new Set<() => void>();
  const leaves = (fn: () => void) => {
    gone.add(fn);
    return () => void gone.delete(fn);
  };
  const leave = () => {
    for (const fn of [...gone]) fn();
  };
  /** Nothing is left of what has waited. */
  const expectNothing = () => {
    expect([queries.size, catalog.awaited, clock.pending, gone.size]).toEqual([0, 0, 0, 0]);
  };
  return { clock, catalog, commit, queries, leaves, leave, expectNothing };
}

test('a wait ends between its length and a sixteenth more', () => {
  const { queries, clock } = parked();
  for (let i = 0; i < 100; i++) {
    const wait = queries.deadline(16_000) - clock.now();
    expect(wait).toBeGreaterThanOrEqual(16_000);
    expect(wait).toBeLessThanOrEqual(17_000);
  }
});

test('what has changed already needs no place', async () => {
  const { queries, expectNothing } = parked(0);
  expect(await queries.changed(WEB, 9, 1_000, stays)).toBe(true);
  expectNothing();
  await expect(queries.changed(WEB, 10, 1_000, stays)).rejects.toMatchObject({ status: 429 });
  expectNothing();
});

test('a change wakes, whatever the case of the name', async () => {
  const { queries, commit, leaves, catalog, expectNothing } = parked();
  const waiting = queries.changed({ ...WEB, service: 'WEB' }, 10, 1_000, leaves);
  expect([queries.size, catalog.awaited]).toEqual([1, 1]);
  commit(putNode('n1'), putService('n1', 'db-1', 'db'));
  expect(queries.size).toBe(1);
  commit(putService('n1', 'web-1', 'web'));
  expect(await waiting).toBe(true);
  expectNothing();
});

test('for an index still to come it sleeps through what does not reach it', async () => {
  const { queries, commit, leaves, expectNothing } = parked();
  const waiting = queries.changed(WEB, 12, 1_000, leaves);
  commit(putNode('n1'), putService('n1', '1', 'web'));
  commit(putService('n1', '2', 'web'));
  expect(queries.size).toBe(1);
  commit(putService('n1', '3', 'web'));
  expect(await waiting).toBe(true);
  expectNothing();
});

test('ends unchanged when its time is over, the client has left, or nothing may wait any more', async () => {
  const { queries, clock, leaves, leave, expectNothing } = parked();
  const late = queries.changed(WEB, 10, 1_000, leaves);
  await clock.advanceAsync(999);
  expect(queries.size).toBe(1);
  await clock.advanceAsync(1);
  expect(await late).toBe(false);
  expectNothing();

  const left = queries.changed(WEB, 10, 2_000, leaves);
  leave();
  expect(await left).toBe(false);
  expectNothing();

  const released = queries.changed(WEB, 10, 2_000, leaves);
  queries.release();
  expect(await released).toBe(false);
  expect(await queries.changed(WEB, 10, 2_000, leaves)).toBe(false);
  expectNothing();
});

test('holds for what is not in the catalog, and gives it up with the wait', async () => {
  const { queries, clock, leaves, expectNothing } = parked();
  const signals: AbortSignal[] = [];
  const hold = (happens: Promise<void>) =>
    queries.hold(
      (signal) => {
        signals.push(signal);
        return happens;
      },
      clock.now() + 1_000,
      leaves,
    );
  expect(await hold(Promise.resolve())).toBe(true);
  await expect(hold(Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expectNothing();

  const { promise, reject } = Promise.withResolvers<void>();
  const waiting = hold(promise);
  expect(signals.at(-1)?.aborted).toBe(false);
  await clock.advanceAsync(1_000);
  expect(await waiting).toBe(false);
  expect(signals.at(-1)?.aborted).toBe(true);
  // As one that is aborted does.
  reject(new Error('given up'));
  await settle();
  expectNothing();
});
