import { describe, expect, test } from 'vitest';
import { operateRefusal } from '../../../src/api/stats/operations.ts';

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8', host: 'lb-1:8404' };

describe('servers are operated', () => {
  test.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])('by a program at %s', (peer) =>
    expect(operateRefusal(JSON_TYPE, peer, '0.0.0.0')).toBeUndefined(),
  );

  test.each(['10.0.0.1', '::ffff:10.0.0.1', 'fe80::1', undefined])('by nobody at %s', (peer) =>
    expect(operateRefusal(JSON_TYPE, peer, '0.0.0.0')).toMatchObject({ status: 403 }),
  );

  test.each<[Record<string, string>, number]>([
    [{ 'content-type': 'application/jsonp' }, 415],
    [{ 'content-type': '' }, 415],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://lb-2:8404' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
  ])('by no page: %j', (headers, status) =>
    expect(operateRefusal({ ...JSON_TYPE, ...headers }, '127.0.0.1', '0.0.0.0')).toMatchObject({ status }),
  );
});
