import { describe, expect, test } from 'vitest';
import { type Held, HoldGate } from '../../../src/mysql/endpoint/hold-gate.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

function setUp(max = 100) {
  const clock = new FakeClock();
  const gate = new HoldGate(clock, { max });
  const outcomes: (Held | 'gone')[] = [];
  const hold = (ms: number, retryAfter?: number, signal = new AbortController().signal) => {
    void gate.wait(clock.now() + ms, retryAfter, signal).then(
      (held) => outcomes.push(held),
      () => outcomes.push('gone'),
    );
  };
  return { clock, gate, outcomes, hold };
}

describe('clients that are held', () => {
  test('go a few at a time when there is a server again', async () => {
    const { clock, gate, outcomes, hold } = setUp();
    for (let i = 0; i < 25; i++) hold(8_000);
    gate.open();
    await clock.advanceAsync(0);
    expect(outcomes).toHaveLength(10);
    await clock.advanceAsync(50);
    expect(outcomes).toHaveLength(20);
    await clock.advanceAsync(50);
    expect(outcomes).toEqual(Array(25).fill('go'));
    expect(clock.pending).toBe(0);
  });

  test('stay when the server is gone again', async () => {
    const { clock, gate, outcomes, hold } = setUp();
    for (let i = 0; i < 15; i++) hold(8_000);
    gate.open();
    gate.shut();
    await clock.advanceAsync(1_000);
    expect(outcomes).toHaveLength(10);
    expect(gate.size).toBe(5);
  });

  test('are told after their time, and when there are too many', async () => {
    const { clock, gate, outcomes, hold } = setUp(2);
    for (let i = 0; i < 3; i++) hold(1_000);
    await clock.advanceAsync(0);
    expect(outcomes).toEqual(['full']);
    await clock.advanceAsync(1_000);
    expect(outcomes).toEqual(['full', 'late', 'late']);
    expect([gate.size, clock.pending]).toEqual([0, 0]);
  });

  test('try again by themselves where that is due before their time is over', async () => {
    const { clock, outcomes, hold } = setUp();
    hold(1_000, 100);
    hold(50, 100);
    await clock.advanceAsync(100);
    expect(outcomes).toEqual(['late', 'go']);
  });

  test('may leave', async () => {
    const { clock, gate, outcomes, hold } = setUp();
    const leaving = new AbortController();
    hold(1_000, undefined, leaving.signal);
    leaving.abort(new Error('gone'));
    await clock.advanceAsync(0);
    expect(outcomes).toEqual(['gone']);
    expect([gate.size, clock.pending]).toEqual([0, 0]);
  });
});
