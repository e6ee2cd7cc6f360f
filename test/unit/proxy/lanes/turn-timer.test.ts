import { expect, test } from 'vitest';
import { type Side, TurnTimer } from '../../../../src/proxy/lanes/turn-timer.ts';
import { FakeClock } from '../../../helpers/fake-clock.ts';

function timer(limits: Record<Side, number>) {
  const clock = new FakeClock();
  const stalls: Side[] = [];
  return { clock, stalls, timer: new TurnTimer(clock, limits, (side) => stalls.push(side)) };
}

test('blames the side whose turn it is, when it has been silent for its limit', () => {
  const { clock, stalls, timer: t } = timer({ client: 100, server: 300 });
  t.turn('client');
  clock.advance(99);
  expect(stalls).toEqual([]);
  t.turn('server');
  clock.advance(299);
  expect(stalls).toEqual([]);
  clock.advance(1);
  expect(stalls).toEqual(['server']);
  expect(clock.pending).toBe(0);
});

test('every move of the same side gives it its whole limit again', () => {
  const { clock, stalls, timer: t } = timer({ client: 100, server: 0 });
  for (let i = 0; i < 50; i++) {
    t.turn('client');
    clock.advance(99);
  }
  expect(stalls).toEqual([]);
  clock.advance(1);
  expect(stalls).toEqual(['client']);
});

test('0 is no limit, and nothing runs meanwhile', () => {
  const { clock, stalls, timer: t } = timer({ client: 0, server: 100 });
  t.turn('server');
  t.turn('client');
  expect(clock.pending).toBe(0);
  clock.advance(1e9);
  expect(stalls).toEqual([]);
});

test('nobody is blamed once it is stopped, until there is a turn again', () => {
  const { clock, stalls, timer: t } = timer({ client: 100, server: 100 });
  t.turn('client');
  t.stop();
  expect(clock.pending).toBe(0);
  clock.advance(1_000);
  expect(stalls).toEqual([]);
  t.turn('client');
  clock.advance(100);
  expect(stalls).toEqual(['client']);
});
