import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { silentLog } from '../../../src/core/log.ts';
import { CheckReporter } from '../../../src/health/report.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';

/** A registry whose reports end when and as the test says. */
function setUp() {
  const clock = new FakeClock();
  const sent: string[] = [];
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const warned: string[] = [];
  const log: Log = { ...silentLog, warn: (_fields, message) => warned.push(message) };
  const reporter = new CheckReporter('c', {
    registry: {
      reportCheck(_id, status, output) {
        sent.push(`${status} ${output}`);
        return new Promise((resolve, reject) => ends.push({ resolve, reject }));
      },
    },
    clock,
    log,
  });
  return { clock, sent, ends, warned, reporter };
}

test('while a commit takes long only the latest finding waits', async () => {
  const { sent, ends, reporter } = setUp();
  for (const output of ['1', '2', '3']) reporter.report('passing', output);
  await settle();
  expect(sent).toEqual(['passing 1']);
  ends[0]?.resolve();
  await settle();
  expect(sent).toEqual(['passing 1', 'passing 3']);
  ends[1]?.resolve();
  await settle();
  reporter.report('critical', '4');
  expect(sent.at(-1)).toBe('critical 4');
});

test('a finding that could not be stored is tried again, unless a newer one has come', async () => {
  const { clock, sent, ends, warned, reporter } = setUp();
  reporter.report('critical', '1');
  ends[0]?.reject(new VaneError('STORE_FAILED', 'away'));
  await clock.advanceAsync(1_000);
  expect(sent).toEqual(['critical 1', 'critical 1']);
  reporter.report('passing', '2');
  ends[1]?.reject(new VaneError('STORE_FAILED', 'away'));
  await settle();
  ends[2]?.resolve();
  await clock.advanceAsync(10_000);
  expect(sent.slice(2)).toEqual(['passing 2']);
  expect(warned).toHaveLength(2);
  expect(clock.pending).toBe(0);
});

test('a check that is gone is no failure; one that is invalid is not tried again', async () => {
  const { clock, ends, warned, reporter } = setUp();
  reporter.report('critical', '1');
  ends[0]?.reject(new VaneError('REGISTRY_NOT_FOUND', 'gone'));
  await settle();
  expect(warned).toEqual([]);
  reporter.report('critical', '2');
  ends[1]?.reject(new VaneError('REGISTRY_INVALID', 'full'));
  await settle();
  expect(warned).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test('closed it waits for what is under way and sends nothing more', async () => {
  const { clock, sent, ends, reporter } = setUp();
  reporter.report('critical', '1');
  reporter.report('critical', '2');
  const closing = reporter.close();
  reporter.report('critical', '3');
  ends[0]?.reject(new VaneError('STORE_FAILED', 'away'));
  await closing;
  await clock.advanceAsync(10_000);
  expect(sent).toEqual(['critical 1']);
  expect(clock.pending).toBe(0);
});

test('knows since when it has been critical without a break', async () => {
  const { clock, reporter } = setUp();
  expect(reporter.criticalSince).toBeUndefined();
  clock.advance(10);
  reporter.report('critical', '');
  clock.advance(10);
  reporter.report('critical', 'still');
  expect(reporter.criticalSince).toBe(10);
  reporter.report('warning', '');
  expect(reporter.criticalSince).toBeUndefined();
});
