import { expect, test } from 'vitest';
import { meet, recordFailure, startProxies } from '../../helpers/drill-failures.ts';
import { FaultyInstances } from '../../helpers/drill-faulty-instances.ts';
import { median, percentile } from '../../helpers/drill-figures.ts';
import { problems } from '../../helpers/drill-load.ts';
import { IS_LONG } from '../../helpers/drill-proxies.ts';

/** Three instances with two requests at once, of 100 ms each. */
const CAPACITY = 60;
const QUEUE_MS = 1_000;
const DURING_MS = IS_LONG ? 15_000 : 5_000;

test('three times as many requests as can be served: as many as can are, in time, and the others know at once', {
  timeout: 60_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const instances = stack.use(await FaultyInstances.start(3));
  const proxies = await startProxies(stack, instances, { maxconn: 2, timeoutQueue: `${QUEUE_MS}ms` });
  const all = [0, 1, 2];
  for (const i of all) await instances.tell(i, 'busy');
  const outcomes = await meet(proxies, instances, {
    name: 'overload',
    perSecond: CAPACITY / 3,
    before: 800,
    during: DURING_MS,
    after: 1_500,
    begin: (loads) => {
      for (const load of loads) load.perSecond = CAPACITY * 3;
    },
    end: (loads) => {
      for (const load of loads) load.perSecond = CAPACITY / 3;
    },
  });
  const measured = outcomes.map((outcome) => {
    const good = outcome.answered.filter(({ problem }) => problem === undefined);
    const refused = outcome.answered.filter(({ status }) => status === 503);
    const times = refused.map(({ ms }) => ms);
    const slowest = percentile(
      good.map(({ ms }) => ms),
      99,
    );
    const note = `${good.length} served, 99th percentile ${slowest.toFixed(0)} ms; ${refused.length} refused, after ${median(times).toFixed(0)} ms (median)`;
    recordFailure({ ...outcome, note });
    return { ...outcome, good, refused, times, slowest };
  });
  const [vane] = measured;
  if (!vane) throw new Error('Vane was not measured');
  expect(vane.postsTwice).toBe(0);
  // Nothing is wrong but that there is too much of it.
  expect(Object.keys(problems(vane.answered)).filter((what) => !what.includes(': 503 '))).toEqual([]);
  expect(vane.good.length).toBeGreaterThan((CAPACITY * DURING_MS) / 1000 / 2);
  expect(median(vane.times)).toBeLessThan(QUEUE_MS / 2);
  expect(vane.slowest).toBeLessThan(QUEUE_MS * 3);
});
