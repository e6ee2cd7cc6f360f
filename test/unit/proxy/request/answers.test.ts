import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import { errorAnswer, failureAnswer } from '../../../../src/proxy/request/answers.ts';
import { valuesOf } from '../fixtures.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];
const answered = (code: ErrorCode) => failureAnswer(new VaneError(code, 'because'));

describe('failureAnswer', () => {
  test.each<[ErrorCode, number]>([
    ['REQUEST_INVALID', 400],
    ['CLIENT_TIMEOUT', 408],
    ['INTERNAL', 500],
    ['UPSTREAM_CLOSED', 502],
    ['UPSTREAM_PROTOCOL', 502],
    ['UPSTREAM_TIMEOUT', 504],
    ['CONNECT_REFUSED', 503],
    ['CONNECT_TIMEOUT', 503],
    ['CONNECT_FAILED', 503],
    ['NO_SERVER', 503],
    ['QUEUE_TIMEOUT', 503],
    ['QUEUE_FULL', 503],
    ['SERVER_REMOVED', 503],
    ['STOPPING', 503],
  ])('%s is %i', (code, status) => {
    expect(answered(code)?.status).toBe(status);
  });

  test('nobody is left to be answered when the client is gone', () => {
    expect(answered('CLIENT_ABORTED')).toBeUndefined();
  });

  test.each(CODES)(
    '%s: the reason is told exactly with 503, and whose fault it is decides about closing',
    (code) => {
      const answer = answered(code);
      if (!answer) return;
      expect(valuesOf(answer.headers, 'x-vane-reason')).toEqual(answer.status === 503 ? [code] : []);
      expect(answer.close).toBe(answer.status < 500);
      expect(answer.body).not.toContain('because');
    },
  );
});

describe('errorAnswer', () => {
  test('is a short page that no cache keeps', () => {
    expect(errorAnswer(403)).toEqual({
      status: 403,
      headers: ['cache-control', 'no-cache', 'content-type', 'text/html'],
      body: '<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n',
      close: true,
    });
  });

  test('knows something to say to every status', () => {
    expect(errorAnswer(418).body).toContain('418');
  });

  test.each([204, 205, 304])('has no body where none may be: %i', (status) => {
    expect(errorAnswer(status)).toMatchObject({ status, body: '' });
    expect(valuesOf(errorAnswer(status).headers, 'content-type')).toEqual([]);
  });
});
