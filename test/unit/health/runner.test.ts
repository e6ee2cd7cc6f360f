import { describe, expect, test } from 'vitest';
import type { Probe, ProbeResult } from '../../../src/health/probe.ts';
import { Runner, type RunnerOptions } from '../../../src/health/runner.ts';
import { Slots } from '../../../src/health/slots.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';

const good: ProbeResult = { status: 'passing', output: '', code: 'L4OK', httpStatus: undefined };
const bad: ProbeResult = { status: 'critical', output: 'cut', code: 'L4TOUT', httpStatus: undefined };

/** A probe that takes `takes` ms by the clock and notes when it was running. */
function timedProbe(clock: FakeClock, takes: () => number) {
  const starts: number[] = [];
  const seen = { running: 0, most: 0 };
  const probe: Probe = {
    run(signal) {
      starts.push(clock.now());
      seen.running += 1;
      seen.most = Math.max(seen.most, seen.running);
      return new Promise((resolve) => {
        const end = (result: ProbeResult) => {
          seen.running -= 1;
          resolve(result);
        };
        const cancel = clock.after(takes(), () => end(good));
        signal.addEventListener('abort', () => {
          cancel();
          end(bad);
        });
      });
    },
  };
  return { probe, starts, seen };
}

function setUp(options: Partial<RunnerOptions> & { takes?: number } = {}) {
  const clock = new FakeClock();
  const timed = timedProbe(clock, () => options.takes ?? 0);
  const results: { result: ProbeResult; durationMs: number; at: number }[] = [];
  const runner = new Runner({
    probe: timed.probe,
    interval: 1000,
    timeout: 500,
    firstWithin: 1000,
    clock,
    random: () => 0.25,
    slots: new Slots(10),
    onResult: (result, durationMs) => results.push({ result, durationMs, at: clock.now() }),
    ...options,
  });
  return { clock, runner, results, ...timed };
}

describe('Runner', () => {
  test('runs first after its random part, then an interval after each end', async () => {
    const { clock, runner, starts } = setUp({ takes: 100 });
    runner.start();
    await clock.advanceAsync(4000);
    expect(starts).toEqual([250, 1350, 2450, 3550]);
    await runner.stop();
    expect(clock.pending).toBe(0);
  });

  test('aborts a run that takes too long and goes on', async () => {
    const { clock, runner, results, starts, seen } = setUp({ takes: 10_000, random: () => 0 });
    runner.start();
    await clock.advanceAsync(1600);
    expect(results).toEqual([{ result: bad, durationMs: 500, at: 500 }]);
    expect(starts).toEqual([0, 1500]);
    expect(seen.most).toBe(1);
    await runner.stop();
    expect(clock.pending).toBe(0);
  });

  test('stopped during a run: ends it, reports nothing, runs no more', async () => {
    const { clock, runner, results, starts, seen } = setUp({ takes: 400, random: () => 0 });
    runner.start();
    await clock.advanceAsync(100);
    expect(seen.running).toBe(1);
    await runner.stop();
    expect(seen.running).toBe(0);
    await clock.advanceAsync(10_000);
    expect(results).toEqual([]);
    expect(starts).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('stopped from within a result: runs no more', async () => {
    const clock = new FakeClock();
    const { probe, starts } = timedProbe(clock, () => 0);
    const slots = new Slots(1);
    const runner: Runner = new Runner({
      probe,
      interval: 10,
      timeout: 10,
      firstWithin: 0,
      clock,
      random: () => 0,
      slots,
      onResult: () => void runner.stop(),
    });
    runner.start();
    await clock.advanceAsync(1000);
    expect(starts).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('runNow brings the next run forward and keeps the interval from there', async () => {
    const { clock, runner, starts } = setUp({ random: () => 0.9 });
    runner.start();
    await clock.advanceAsync(100);
    runner.runNow();
    await clock.advanceAsync(1500);
    expect(starts).toEqual([100, 1100]);
    await runner.stop();
    runner.runNow();
    expect(clock.pending).toBe(0);
  });

  test('runNow during a run lets exactly one other follow, never beside it', async () => {
    const { clock, runner, starts, seen } = setUp({ takes: 300, random: () => 0 });
    runner.start();
    await clock.advanceAsync(100);
    runner.runNow();
    runner.runNow();
    await clock.advanceAsync(1000);
    expect(starts).toEqual([0, 300]);
    expect(seen.most).toBe(1);
    await runner.stop();
  });

  test('a probe that rejects is a critical result, not the end of checking', async () => {
    const { clock, runner, results } = setUp({
      probe: { run: () => Promise.reject(new Error('boom')) },
      random: () => 0,
    });
    runner.start();
    await clock.advanceAsync(1000);
    expect(results.map(({ result }) => [result.status, result.output])).toEqual([
      ['critical', 'Check failed: boom'],
      ['critical', 'Check failed: boom'],
    ]);
    await runner.stop();
  });
});

describe('a run that is asked for again and again', () => {
  test('comes all the same', async () => {
    const clock = new FakeClock();
    // As with real timers, nothing comes sooner than in a millisecond.
    const slow = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (ms: number, fn: () => void) => clock.after(Math.max(1, ms), fn),
    };
    const { probe, starts } = timedProbe(clock, () => 0);
    const { runner } = setUp({ clock: slow, probe, random: () => 0.5 });
    runner.start();
    for (let i = 0; i < 50; i++) {
      runner.runNow();
      await clock.advanceAsync(0.5);
    }
    expect(starts.length).toBeGreaterThan(10);
    await runner.stop();
    expect(clock.pending).toBe(0);
  });

  test('keeps its place among those that wait for a slot', async () => {
    const slots = new Slots(1);
    let release = () => {};
    slots.take((done) => {
      release = done;
    });
    const order: string[] = [];
    const { clock, runner, starts } = setUp({ slots, random: () => 0 });
    runner.start();
    await clock.advanceAsync(0);
    slots.take((done) => {
      order.push(`${starts.length} run before`);
      done();
    });
    runner.runNow();
    await clock.advanceAsync(1);
    release();
    await clock.advanceAsync(1);
    expect(order).toEqual(['1 run before']);
    await runner.stop();
    expect(clock.pending).toBe(0);
    expect(slots.waiting).toBe(0);
  });
});

describe('runs that hang', () => {
  test('hold a slot for a while only, so that others are run in time', async () => {
    const clock = new FakeClock();
    const slots = new Slots(2);
    const starts: number[] = [];
    const common = { interval: 1000, firstWithin: 0, clock, random: () => 0, slots, onResult: () => {} };
    const hanging = Array.from({ length: 10 }, () => {
      const { probe } = timedProbe(clock, () => 60_000);
      return new Runner({ ...common, probe, timeout: 20_000, slotFor: 100 });
    });
    const well = new Runner({
      ...common,
      probe: timedProbe(clock, () => 0).probe,
      timeout: 500,
      onResult: () => starts.push(clock.now()),
    });
    for (const runner of [...hanging, well]) runner.start();
    await clock.advanceAsync(5_600);
    // Five turns of two that hang come first.
    expect(starts).toEqual([500, 1500, 2500, 3500, 4500, 5500]);
    await Promise.all([...hanging, well].map((runner) => runner.stop()));
    expect(clock.pending).toBe(0);
    expect(slots.waiting).toBe(0);
  });
});

describe('Slots', () => {
  test('bound all runners together and serve them in the order they came', async () => {
    const clock = new FakeClock();
    const slots = new Slots(2);
    const seen = { running: 0, most: 0 };
    const order: number[] = [];
    const runners = Array.from({ length: 5 }, (_unused, i) => {
      const probe: Probe = {
        run: () =>
          new Promise((resolve) => {
            order.push(i);
            seen.running += 1;
            seen.most = Math.max(seen.most, seen.running);
            clock.after(100, () => {
              seen.running -= 1;
              resolve(good);
            });
          }),
      };
      return new Runner({
        probe,
        interval: 100,
        timeout: 1000,
        firstWithin: 0,
        clock,
        random: () => 0,
        slots,
        onResult: () => {},
      });
    });
    for (const runner of runners) runner.start();
    await clock.advanceAsync(600);
    expect(seen.most).toBe(2);
    // Whoever ran before stands behind all who wait.
    expect(order.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    const stopping = Promise.all(runners.map((runner) => runner.stop()));
    await clock.advanceAsync(100);
    await stopping;
    expect(slots.waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('whoever stops waiting is passed over, and a slot released twice is free once', async () => {
    const slots = new Slots(1);
    const started: string[] = [];
    let releaseFirst = () => {};
    slots.take((release) => {
      releaseFirst = release;
    });
    const giveUp = slots.take(() => started.push('gave up'));
    slots.take(() => started.push('second'));
    slots.take(() => started.push('third'));
    giveUp();
    expect(slots.waiting).toBe(2);
    releaseFirst();
    releaseFirst();
    await settle();
    expect(started).toEqual(['second']);
  });
});
