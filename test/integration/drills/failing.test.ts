import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Failure, meet, recordFailure, startProxies } from '../../helpers/drill-failures.ts';
import { FaultyInstances } from '../../helpers/drill-faulty-instances.ts';
import { figure } from '../../helpers/drill-figures.ts';
import { problems } from '../../helpers/drill-load.ts';
import { IS_LONG } from '../../helpers/drill-proxies.ts';

const PER_SECOND = IS_LONG ? 200 : 80;
const TIMES = IS_LONG
  ? { before: 4_000, during: 10_000, after: 5_000 }
  : { before: 800, during: 2_600, after: 400 };

/** The instance that fails. */
const BAD = 0;

const stack = new AsyncDisposableStack();
let instances: FaultyInstances;
let proxies: Awaited<ReturnType<typeof startProxies>>;

beforeAll(async () => {
  instances = stack.use(await FaultyInstances.start(3));
  proxies = await startProxies(stack, instances);
}, 30_000);

afterAll(() => stack.disposeAsync());

/** Runs it; returns what Vane did. */
async function vaneMeets(failure: Pick<Failure, 'name' | 'begin' | 'end'>) {
  const outcomes = await meet(proxies, instances, { ...TIMES, perSecond: PER_SECOND, ...failure });
  for (const outcome of outcomes) recordFailure(outcome);
  const [vane] = outcomes;
  if (!vane) throw new Error('Vane was not measured');
  expect(vane.postsTwice).toBe(0);
  return vane;
}

const ordered = (name: 'errors' | 'reset' | 'slow' | 'half'): Pick<Failure, 'name' | 'begin' | 'end'> => ({
  name,
  begin: () => instances.tell(BAD, name),
  end: () => instances.tell(BAD, 'well'),
});

describe('one of three instances', () => {
  test('is killed: no GET fails', async () => {
    const vane = await vaneMeets({
      name: 'killed',
      begin: async () => {
        instances.signal(BAD, 'SIGKILL');
        await instances.ended(BAD);
      },
      end: () => instances.restart(BAD),
    });
    expect(problems(vane.answered.filter(({ method }) => method === 'GET'))).toEqual({});
  }, 60_000);

  test('hangs: no GET fails, and few wait for it', async () => {
    let connections = 0;
    const vane = await vaneMeets({
      name: 'hung',
      begin: () => instances.signal(BAD, 'SIGSTOP'),
      end: ([load]) => {
        connections = load?.connections ?? 0;
        instances.signal(BAD, 'SIGCONT');
      },
    });
    expect(problems(vane.answered.filter(({ method }) => method === 'GET'))).toEqual({});
    // What was under way there, and one of each connection.
    figure(
      'failing',
      'requests that a hung instance stalled',
      vane.stalled,
      `${connections} and those under way`,
    );
    // At 80 requests a second a third goes there, for about as long as it takes to be noticed.
    expect(vane.stalled).toBeLessThanOrEqual(connections + PER_SECOND);
  }, 60_000);

  test('answers 500: no GET fails', async () => {
    const vane = await vaneMeets(ordered('errors'));
    expect(problems(vane.answered.filter(({ method }) => method === 'GET'))).toEqual({});
  }, 60_000);

  test('resets what it has accepted: no GET fails', async () => {
    const vane = await vaneMeets(ordered('reset'));
    expect(problems(vane.answered.filter(({ method }) => method === 'GET'))).toEqual({});
  }, 60_000);

  test('is slow: nothing fails', async () => {
    const vane = await vaneMeets(ordered('slow'));
    expect(problems(vane.answered)).toEqual({});
  }, 60_000);

  test('comes and goes: no GET fails', async () => {
    const vane = await vaneMeets({
      name: 'flapping',
      begin: () => instances.tell(BAD, 'flap'),
      end: () => instances.tell(BAD, 'well'),
    });
    expect(problems(vane.answered.filter(({ method }) => method === 'GET'))).toEqual({});
  }, 60_000);

  test('cuts half of its answers: only those fail', async () => {
    const vane = await vaneMeets(ordered('half'));
    const others = vane.answered.filter(({ problem = '' }) => !/ECONNRESET|cut after|aborted/.test(problem));
    expect(problems(others)).toEqual({});
  }, 60_000);
});
