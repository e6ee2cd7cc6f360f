import { describe, expect, test } from 'vitest';
import { QueuePace } from '../../../../src/proxy/plane/queue-pace.ts';

function steady(pace: QueuePace, every: number, count: number, from = 0): number {
  let now = from;
  for (let i = 0; i < count; i++) {
    now += every;
    pace.served(now);
  }
  return now;
}

describe('the pace of a queue', () => {
  test('is not known before enough were served', () => {
    const pace = new QueuePace();
    pace.begin(0);
    const now = steady(pace, 100, 3);
    expect(pace.waitFor(10, now)).toBeUndefined();
    pace.served(now + 100);
    expect(pace.waitFor(10, now + 100)).toBe(1_000);
  });

  test('counts only the time in which there was a queue', () => {
    const pace = new QueuePace();
    pace.begin(0);
    const now = steady(pace, 100, 10);
    pace.end(now);
    pace.begin(now + 5_000);
    expect(pace.waitFor(1, now + 5_000)).toBe(100);
  });

  test('is forgotten after a while without a queue', () => {
    const pace = new QueuePace();
    pace.begin(0);
    const now = steady(pace, 100, 10);
    pace.end(now);
    pace.begin(now + 10_001);
    expect(pace.waitFor(1, now + 10_001)).toBeUndefined();
  });

  test('falls while nobody is served, and follows what happens of late', () => {
    const pace = new QueuePace();
    pace.begin(0);
    let now = steady(pace, 10, 100);
    expect(pace.waitFor(100, now)).toBe(1_000);
    expect(pace.waitFor(100, now + 1_000)).toBe(2_000);
    now = steady(pace, 1_000, 120, now);
    expect(pace.waitFor(1, now)).toBeGreaterThan(800);
  });
});
