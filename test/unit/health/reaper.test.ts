import { expect, test } from 'vitest';
import { silentLog } from '../../../src/core/log.ts';
import { type Reapable, Reaper } from '../../../src/health/reaper.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

/** A registry whose deregistrations end when and as the test says. */
function setUp(checks: readonly Partial<Reapable>[]) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const ends: { resolve: (known: boolean) => void; reject: (error: Error) => void }[] = [];
  const reaper = new Reaper({
    registry: {
      deregisterService(id, { what }) {
        asked.push(`${clock.now()} ${id}: ${what}`);
        return new Promise((resolve, reject) => ends.push({ resolve, reject }));
      },
    },
    checks: () =>
      checks.map((check, i) => ({
        checkId: `c${i}`,
        serviceId: 'web',
        deregisterCriticalServiceAfter: 60_000,
        criticalSince: 0,
        ...check,
      })),
    clock,
    log: silentLog,
    floor: 60_000,
    tick: 30_000,
  });
  reaper.start();
  return { clock, reaper, asked, ends };
}

test('takes only services, only critical ones, only where it is told to', async () => {
  const { clock, asked } = setUp([
    { serviceId: '' },
    { serviceId: 'never', deregisterCriticalServiceAfter: 0 },
    { serviceId: 'fine', criticalSince: undefined },
    { serviceId: 'later', deregisterCriticalServiceAfter: 200_000 },
    { serviceId: 'web' },
  ]);
  await clock.advanceAsync(90_000);
  expect(asked).toEqual(['90000 web: critical for 1m30s (check c4)']);
});

test('asks once for a service with several critical checks, and waits for the end of it', async () => {
  const { clock, reaper, asked, ends } = setUp([{}, {}]);
  await clock.advanceAsync(300_000);
  expect(asked).toHaveLength(1);
  let stopped = false;
  const stopping = reaper.stop().then(() => {
    stopped = true;
  });
  await clock.advanceAsync(0);
  expect(stopped).toBe(false);
  ends[0]?.resolve(true);
  await stopping;
  expect(clock.pending).toBe(0);
});

test('tries again at its next look when the registry could not', async () => {
  const { clock, asked, ends } = setUp([{}]);
  await clock.advanceAsync(90_000);
  ends[0]?.reject(new Error('away'));
  await clock.advanceAsync(30_000);
  expect(asked.map((each) => each.split(' ')[0])).toEqual(['90000', '120000']);
});
