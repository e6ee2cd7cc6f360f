import { expect, test } from 'vitest';
import { silentLog } from '../../../src/core/log.ts';
import { LockDelays } from '../../../src/registry/lock-delays.ts';
import type { StoreSnapshot } from '../../../src/registry/model.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { committing, putKv, putNode, putSession } from '../../helpers/registry-rows.ts';

const NOTHING: StoreSnapshot = {
  index: 90,
  nodes: [],
  services: [],
  checks: [],
  kv: [],
  sessions: [],
  queries: [],
};

function setUp() {
  const clock = new FakeClock();
  const { catalog, commit } = committing();
  const rows = [
    putNode('a'),
    putSession('long', 'a', { lockDelay: 15_000 }),
    putSession('none', 'a', { lockDelay: 0 }),
    putKv('held', 'x', { session: 'long' }),
    putKv('free', 'x'),
    putKv('undelayed', 'x', { session: 'none' }),
  ];
  commit(...rows);
  expect(catalog.kv.heldBy('long')).toEqual(['held']);
  return { clock, catalog, delays: new LockDelays({ clock, log: silentLog }) };
}

test('locks of sessions that ended while nobody was heard are delayed from then on', () => {
  const { clock, catalog, delays } = setUp();
  delays.replaced(catalog, () => catalog.reset(NOTHING));
  const delayed = () => ['held', 'free', 'undelayed'].filter((key) => delays.delays(key));
  expect(delayed()).toEqual(['held']);
  clock.advance(14_999);
  expect(delayed()).toEqual(['held']);
  clock.advance(1);
  expect(delayed()).toEqual([]);
});

test('locks of sessions that are there as before are not', () => {
  const { catalog, delays } = setUp();
  delays.replaced(catalog, () => {});
  expect(delays.delays('held')).toBe(false);
});
