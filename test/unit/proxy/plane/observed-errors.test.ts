import { describe, expect, test } from 'vitest';
import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import type { LeaseOutcome } from '../../../../src/proxy/plane/lease.ts';
import { ObservedErrors } from '../../../../src/proxy/plane/observed-errors.ts';

function outcome(what: number | ErrorCode): LeaseOutcome {
  const error = typeof what === 'string' ? new VaneError(what, 'x') : undefined;
  const connected = !(typeof what === 'string' && what.startsWith('CONNECT_'));
  const rest = { queuedMs: 0, responseMs: 1, totalMs: 1, bytesIn: 0, bytesOut: 0, next: undefined };
  const status = typeof what === 'number' ? what : undefined;
  return { ...rest, error, status, reused: false, connectMs: connected ? 1 : undefined };
}

function told(layer: 'layer4' | 'layer7', met: readonly (number | ErrorCode)[]): number {
  const errors = new ObservedErrors();
  const config = { layer, limit: 2, onError: 'fail-check' as const };
  return met.filter((what) => errors.take(outcome(what), config)).length;
}

describe('errors observed', () => {
  test.each<['layer4' | 'layer7', readonly (number | ErrorCode)[], number]>([
    ['layer4', ['CONNECT_REFUSED', 'CONNECT_TIMEOUT'], 1],
    ['layer4', ['CONNECT_REFUSED', 500, 'CONNECT_REFUSED'], 0],
    ['layer4', [500, 500, 'UPSTREAM_TIMEOUT'], 0],
    ['layer7', [500, 503], 1],
    ['layer7', [500, 404, 500], 0],
    ['layer7', [501, 505, 501, 505], 0],
    ['layer7', ['UPSTREAM_CLOSED', 'UPSTREAM_PROTOCOL', 'UPSTREAM_TIMEOUT', 'CONNECT_REFUSED'], 2],
    ['layer7', [500, 'CLIENT_ABORTED', 'SERVER_REMOVED', 500], 1],
    ['layer7', [500, 500, 500], 1],
  ])('%s of %j: %i', (layer, met, expected) => {
    expect(told(layer, met)).toBe(expected);
  });
});
