import { expect, test } from 'vitest';
import { FrameAllowance } from '../../../../../src/proxy/lanes/h2/frame-allowance.ts';

/** Octets per second: what requests have, what all frames have, what goes out. */
interface Pace {
  readonly requests: number;
  readonly received: number;
  readonly sent: number;
}

/** For how many seconds a client may go on so, as looked every half second; a day at most is asked. */
function lasts({ requests, received, sent }: Pace): number {
  const allowance = new FrameAllowance(0);
  for (let s = 0.5; s <= 86_400; s += 0.5) {
    const traffic = { requests: requests * s, received: received * s, sent: sent * s };
    if (!allowance.take(traffic, s * 1000)) return s;
  }
  return Number.POSITIVE_INFINITY;
}

const MB = 1_000_000;

test.each([
  ['uploads in full frames', { requests: 100 * MB, received: 100.1 * MB, sent: 0 }],
  ['streams small messages', { requests: 3 * MB, received: 4.4 * MB, sent: 0 }],
  ['downloads, and says what it has taken', { requests: 0, received: 1.6 * MB, sent: 1_000 * MB }],
  ['asks with heads that are compressed', { requests: 5 * MB, received: 0.3 * MB, sent: MB }],
  ['pings now and then', { requests: 0, received: 10 * 17, sent: 10 * 17 }],
])('a client that %s is let', (_what, pace) => {
  expect(lasts(pace)).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  ['uploads octet by octet', { requests: 0.1 * MB, received: MB, sent: 0 }, 2],
  ['pings all the time', { requests: 0, received: MB, sent: MB }, 2],
  ['floods', { requests: 0, received: 100 * MB, sent: 0 }, 0.5],
])('a client that %s is not let for long', (_what, pace, seconds) => {
  expect(lasts(pace)).toBeLessThanOrEqual(seconds);
});
