import { describe, expect, test } from 'vitest';
import type { ServerSnapshot } from '../../../../src/balance/server.ts';
import { DEFAULT_OUTLIER } from '../../../../src/config/retry-lines.ts';
import type { BackendConfig } from '../../../../src/config/runtime/backends.ts';
import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import type { Lease } from '../../../../src/proxy/plane/lease.ts';
import { LiveBackend } from '../../../../src/proxy/plane/live-backend.ts';
import { FakeClock } from '../../../helpers/fake-clock.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const [A, B, C] = [serverSnapshot('a'), serverSnapshot('b'), serverSnapshot('c')];
const NOBODY: ReadonlySet<string> = new Set();

function setUp(servers: readonly ServerSnapshot[], config: Partial<BackendConfig> = {}) {
  const clock = new FakeClock();
  const none = () => {};
  const events = { idle: none, trouble: none, steered: none, observed: none, cut: none, spared: none };
  const backend = new LiveBackend(backendConfig(config), { clock, random: () => 0, events });
  backend.setServers(servers);
  const first = (): Lease => {
    const got = backend.acquire({ tried: NOBODY, stay: undefined });
    if ('leave' in got) throw new Error('had to wait');
    return got;
  };
  const beside = (...leases: readonly Lease[]) =>
    backend.acquireBeside(new Set(leases.map(({ server }) => server.id)), clock.now());
  return { backend, clock, first, beside };
}

function end(lease: Lease, code: ErrorCode, totalMs = 10): void {
  lease.done({
    ...{
      error: new VaneError(code, 'x'),
      status: undefined,
      reused: undefined,
      queuedMs: 0,
      connectMs: undefined,
    },
    ...{ responseMs: undefined, totalMs, bytesIn: 0, bytesOut: 0, next: undefined },
  });
}

describe('a place on another server beside the first', () => {
  test('is on the one with the least to do for its weight', () => {
    const { first, beside } = setUp([A, B, { ...C, weight: 4 }]);
    const lease = first();
    expect(lease.server.name).toBe('c');
    expect(beside(lease)?.server.name).toBe('a');
    expect(beside(lease)?.server.name).toBe('b');
    // Five more than the others have is what its weight is for.
    for (let i = 0; i < 3; i++) expect(beside()?.server.name).toBe('c');
  });

  test('takes nobody’s turn', () => {
    const { first, beside } = setUp([A, B]);
    const names = Array.from({ length: 6 }, () => {
      const lease = first();
      expect(beside(lease)?.server.name).not.toBe(lease.server.name);
      return lease.server.name;
    });
    expect(names).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  test('is not on a server that new work goes around, not even for a trial', () => {
    const { clock, first, beside } = setUp([A, B], { outlier: DEFAULT_OUTLIER });
    end(first(), 'CONNECT_REFUSED');
    clock.advance(60_000);
    expect(beside()?.server.name).toBe('b');
    expect(beside(first())).toBeUndefined();
  });

  test('is not had before those who wait', () => {
    const { backend, first, beside } = setUp([{ ...A, maxconn: 1 }, B]);
    const lease = first();
    const waiting = backend.acquire({ tried: NOBODY, stay: A.id });
    expect('leave' in waiting).toBe(true);
    expect(beside(lease)).toBeUndefined();
    if ('leave' in waiting) {
      waiting.lease.catch(() => {});
      waiting.leave(new VaneError('CLIENT_ABORTED', 'gone'));
    }
    expect(beside(lease)?.server.name).toBe('b');
  });

  test('is had of no backend that is over', () => {
    const { backend, beside } = setUp([A, B]);
    backend.cut(new VaneError('STOPPING', 'stop'));
    expect(beside()).toBeUndefined();
  });
});

test('a server that was not waited for is known to be slow (peak-ewma), and no slower than it is', () => {
  const { first } = setUp([A, B], { balance: { kind: 'peak-ewma' } });
  const answers = (lease: Lease, responseMs: number) => {
    lease.answered();
    lease.done({
      ...{
        error: undefined,
        status: 200,
        reused: true,
        queuedMs: 0,
        connectMs: 0,
        responseMs,
        totalMs: responseMs,
      },
      ...{ bytesIn: 0, bytesOut: 0, next: undefined },
    });
  };
  const names: string[] = [];
  for (let i = 0; i < 20; i++) {
    const lease = first();
    names.push(lease.server.name);
    if (lease.server.name === 'a') end(lease, 'HEDGED', 200);
    else answers(lease, 5);
  }
  expect(names.lastIndexOf('a')).toBeLessThan(3);
});
