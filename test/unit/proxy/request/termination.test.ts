import { expect, test } from 'vitest';
import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import { type Phase, termination } from '../../../../src/proxy/request/termination.ts';

const of = (code: ErrorCode, phase: Phase) => termination(new VaneError(code, 'x'), phase);

test('nothing went wrong', () => {
  for (const phase of ['request', 'queue', 'connect', 'upload', 'headers', 'data'] as const) {
    expect(termination(undefined, phase)).toBe('--');
  }
});

// HAProxy configuration manual, section 8.5, "Termination flags".
test.each<[string, ErrorCode, Phase]>([
  ['CR', 'CLIENT_ABORTED', 'request'],
  ['CQ', 'CLIENT_ABORTED', 'queue'],
  ['CC', 'CLIENT_ABORTED', 'connect'],
  ['CH', 'CLIENT_ABORTED', 'upload'],
  ['CH', 'CLIENT_ABORTED', 'headers'],
  ['CD', 'CLIENT_ABORTED', 'data'],
  ['cR', 'CLIENT_TIMEOUT', 'request'],
  ['cH', 'CLIENT_TIMEOUT', 'upload'],
  ['cD', 'CLIENT_TIMEOUT', 'data'],
  ['PR', 'REQUEST_INVALID', 'request'],
  ['SC', 'CONNECT_REFUSED', 'connect'],
  ['SC', 'CONNECT_FAILED', 'connect'],
  ['SC', 'NO_SERVER', 'connect'],
  ['sC', 'CONNECT_TIMEOUT', 'connect'],
  ['sQ', 'QUEUE_TIMEOUT', 'queue'],
  ['SQ', 'QUEUE_FULL', 'connect'],
  ['SH', 'UPSTREAM_CLOSED', 'upload'],
  ['SH', 'UPSTREAM_CLOSED', 'headers'],
  ['SD', 'UPSTREAM_CLOSED', 'data'],
  ['sH', 'UPSTREAM_TIMEOUT', 'headers'],
  ['sD', 'UPSTREAM_TIMEOUT', 'data'],
  ['PH', 'UPSTREAM_PROTOCOL', 'headers'],
  ['PD', 'UPSTREAM_PROTOCOL', 'data'],
  ['DH', 'SERVER_REMOVED', 'headers'],
  ['KD', 'STOPPING', 'data'],
  ['IC', 'INTERNAL', 'connect'],
])('%s: %s in phase %s', (letters, code, phase) => {
  expect(of(code, phase)).toBe(letters);
});
