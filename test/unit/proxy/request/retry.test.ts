import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import type { AttemptOutcome } from '../../../../src/proxy/lanes/lane.ts';
import { isRepeatable, isStale, mayRepeat } from '../../../../src/proxy/request/retry.ts';

const FLAGS = [false, true];
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'POST', 'PUT', 'PATCH', 'DELETE', 'PURGE', 'get'];
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const RETRYABLE: readonly (ErrorCode | undefined)[] = [
  'CONNECT_REFUSED',
  'CONNECT_TIMEOUT',
  'CONNECT_FAILED',
  'UPSTREAM_CLOSED',
  'SERVER_REMOVED',
];
/** What an attempt can end with; undefined: it went well. */
const CODES = [undefined, ...(Object.keys(ERRORS) as ErrorCode[])].filter(
  (code) => code === undefined || !['resolver', 'registry', 'config'].includes(ERRORS[code].source),
);

interface Row {
  readonly method: string;
  readonly bodyless: boolean;
  readonly code: ErrorCode | undefined;
  readonly responseStarted: boolean;
  readonly replayable: boolean;
  readonly nothingSent: boolean;
  readonly bytesFromServer: number;
  readonly reused: boolean;
}

/** The whole table. */
function* rows(): Iterable<Row> {
  for (const method of METHODS)
    for (const bodyless of FLAGS)
      for (const code of CODES)
        for (const responseStarted of FLAGS)
          for (const replayable of FLAGS)
            for (const nothingSent of FLAGS)
              for (const bytesFromServer of [0, 1])
                for (const reused of FLAGS)
                  yield {
                    method,
                    bodyless,
                    code,
                    responseStarted,
                    replayable,
                    nothingSent,
                    bytesFromServer,
                    reused,
                  };
}

function outcome({ code, ...row }: Row): AttemptOutcome {
  const error = code && new VaneError(code, 'x');
  const rest = { status: undefined, connectMs: 0, headersMs: undefined, bytesToServer: 0 };
  return { ...row, ...rest, error, phase: 'headers' };
}

describe('mayRepeat', () => {
  test('holds for exactly those rows of the table in which no server can have acted on the request', () => {
    let held = 0;
    for (const row of rows()) {
      const expected =
        RETRYABLE.includes(row.code) &&
        row.code !== undefined &&
        !row.responseStarted &&
        row.replayable &&
        (row.nothingSent || (row.bytesFromServer === 0 && row.bodyless && SAFE.has(row.method)));
      expect(mayRepeat(row, outcome(row)), JSON.stringify(row)).toBe(expected);
      if (expected) held++;
    }
    expect(held).toBeGreaterThan(0);
  });

  test.each<[string, Partial<Row>, boolean]>([
    [
      'a refused connection, for a POST with a body nobody has read',
      { method: 'POST', bodyless: false, code: 'CONNECT_REFUSED', nothingSent: true },
      true,
    ],
    [
      'a refused connection, the body half read',
      { method: 'POST', bodyless: false, code: 'CONNECT_REFUSED', nothingSent: true, replayable: false },
      false,
    ],
    ['a server killed before it answered a GET', { code: 'UPSTREAM_CLOSED' }, true],
    ['a server killed before it answered a POST', { method: 'POST', code: 'UPSTREAM_CLOSED' }, false],
    ['a server killed before it answered a DELETE', { method: 'DELETE', code: 'UPSTREAM_CLOSED' }, false],
    [
      'a server killed after the first byte of its answer',
      { code: 'UPSTREAM_CLOSED', bytesFromServer: 1 },
      false,
    ],
    ['a slow server', { code: 'UPSTREAM_TIMEOUT' }, false],
    ['an answer that is none', { code: 'UPSTREAM_PROTOCOL', bytesFromServer: 9 }, false],
    ['a client that is gone', { code: 'CLIENT_ABORTED', nothingSent: true }, false],
    ['a stop of ours', { code: 'STOPPING', nothingSent: true }, false],
    ['a fault of ours', { code: 'INTERNAL', nothingSent: true }, false],
    ['success', { code: undefined }, false],
  ])('%s: %o', (_what, changes, expected) => {
    const row: Row = {
      method: 'GET',
      bodyless: true,
      code: undefined,
      responseStarted: false,
      replayable: true,
      nothingSent: false,
      bytesFromServer: 0,
      reused: false,
      ...changes,
    };
    expect(mayRepeat(row, outcome(row))).toBe(expected);
  });
});

describe('isStale', () => {
  test('holds for exactly those of them that an idle connection can have caused', () => {
    for (const row of rows()) {
      const expected =
        row.reused &&
        row.code === 'UPSTREAM_CLOSED' &&
        row.bytesFromServer === 0 &&
        mayRepeat(row, outcome(row));
      expect(isStale(row, outcome(row)), JSON.stringify(row)).toBe(expected);
    }
  });
});

describe('isRepeatable', () => {
  test.each(METHODS)('%s', (method) => {
    expect(isRepeatable({ method, bodyless: true })).toBe(SAFE.has(method));
    expect(isRepeatable({ method, bodyless: false })).toBe(false);
  });
});
