import { expect, test } from 'vitest';
import { TtlCheck } from '../../../src/health/ttl.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

function setUp(ttl: number, outputMaxSize = 4096) {
  const clock = new FakeClock();
  const reports: string[] = [];
  const check = new TtlCheck({
    ttl,
    outputMaxSize,
    clock,
    reporter: {
      report: (status, output) => void reports.push(`${clock.now()} ${status}: ${output}`),
    },
  });
  check.start();
  return { clock, check, reports };
}

test('expires once after its silence, and again only after another sign of life', () => {
  const { clock, check, reports } = setUp(1000);
  clock.advance(10_000);
  expect(reports).toEqual(['1000 critical: TTL expired']);
  expect(check.heard('back')).toBe('back');
  clock.advance(900);
  check.heard('here');
  clock.advance(10_000);
  expect(reports.slice(1)).toEqual([
    '11900 critical: TTL expired (last output before timeout follows): here',
  ]);
  expect(clock.pending).toBe(0);
});

test('keeps the head of a long output', () => {
  const { check, clock, reports } = setUp(1000, 4);
  expect(check.heard('abcdef')).toBe('abcd ... (captured 4 of 6 bytes)');
  clock.advance(1000);
  expect(reports[0]).toMatch(/follows\): abcd \.\.\. \(captured 4 of 6 bytes\)$/);
});

test('a timer that comes early does not end a TTL of many weeks', () => {
  const clock = new FakeClock();
  const reports: string[] = [];
  const week = 7 * 86_400_000;
  // As the system's clock: no timer is longer than 24.8 days.
  const bounded = {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (ms: number, fn: () => void) => clock.after(Math.min(ms, 2 ** 31 - 1), fn),
  };
  const check = new TtlCheck({
    ttl: 10 * week,
    outputMaxSize: 10,
    clock: bounded,
    reporter: { report: (status) => void reports.push(status) },
  });
  check.start();
  clock.advance(10 * week - 1);
  expect(reports).toEqual([]);
  clock.advance(1);
  expect(reports).toEqual(['critical']);
});

test('is silent once stopped', async () => {
  const { clock, check, reports } = setUp(1000);
  await check.stop();
  clock.advance(5000);
  expect(reports).toEqual([]);
  expect(clock.pending).toBe(0);
});
