import { describe, expect, test } from 'vitest';
import { refusal } from '../../../../src/proxy/plane/queue-refusal.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const queue = (length: number, expectedMs?: number, own = 0) => ({
  length,
  expectedMs,
  waitingFor: () => own,
});
const config = backendConfig({ maxqueue: 10 });
const limited = serverSnapshot('a', { maxconn: 1, maxqueue: 2 });

describe('who asks for a place in the queue', () => {
  test.each([
    ['has one while there are any', queue(9), undefined, undefined],
    ['has none in a full queue', queue(10), undefined, 'the queue of backend web is full'],
    ['has one where the pace is not known', queue(9, undefined), undefined, undefined],
    ['has one if it will be served in time', queue(5, 5_000), undefined, undefined],
    ['is refused if it would be too late', queue(5, 5_001), undefined, 'a server free in 5.0 s only'],
    ['has one behind few who wait for the same server', queue(5, 0, 1), limited, undefined],
    ['has none behind as many as may', queue(5, 0, 2), limited, 'the queue of server web/a is full'],
    ['has one if its server has no limit', queue(5, 0, 9), serverSnapshot('a'), undefined],
  ])('%s', (_what, state, own, expected) => {
    const message = refusal(state, config, own)?.message;
    if (expected === undefined) expect(message).toBeUndefined();
    else expect(message).toContain(expected);
  });

  test('without a limit in time has always one', () => {
    const timeout = { ...config.timeout, queue: 0 };
    expect(refusal(queue(5, 1e9), { ...config, timeout }, undefined)).toBeUndefined();
  });
});
