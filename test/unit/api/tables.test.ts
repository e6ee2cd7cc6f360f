import { expect, test } from 'vitest';
import { clearAnswer, type TableOperations, tablesAnswer } from '../../../src/api/stats/tables.ts';
import { VaneError } from '../../../src/core/errors.ts';

const TABLE = { table: 'web', type: 'ip', size: 10, used: 3, entries: [] } as const;
const HERE = '127.0.0.1';

/** Tables that note what is asked of them. */
function setUp() {
  const asked: unknown[] = [];
  const operations: TableOperations = {
    names: ['web', 'api'],
    list: async () => [TABLE],
    show: async (...question) => {
      asked.push(question);
      return question[0] === 'web' ? TABLE : undefined;
    },
    clear: async (...question) => {
      asked.push(question);
      return question[0] === 'web' ? 2 : undefined;
    },
  };
  return { asked, operations };
}

test.each([
  ['', [], [TABLE]],
  ['backend=web', [['web', {}, 100]], TABLE],
  [
    'backend=web&key=10.0.0.7&server=a&limit=10000',
    [['web', { key: '10.0.0.7', server: 'a' }, 10_000]],
    TABLE,
  ],
])('tables are shown: ?%s', async (query, expected, told) => {
  const { asked, operations } = setUp();
  const answer = await tablesAnswer(operations, new URLSearchParams(query), `::ffff:${HERE}`);
  expect([answer.status, JSON.parse(answer.body)]).toEqual([200, told]);
  expect(asked).toEqual(expected);
});

test.each([
  ['', '192.0.2.7', 403, 'shown to this machine only'],
  ['backend=web', undefined, 403, 'shown to this machine only'],
  ['backend=web&limit=10001', HERE, 400, 'a number up to 10000'],
  ['backend=web&limit=-1', HERE, 400, 'a number up to 10000'],
  ['backend=none', HERE, 404, 'there are web, api'],
])('or it is said why not: ?%s by %s', async (query, peer, status, why) => {
  const answer = await tablesAnswer(setUp().operations, new URLSearchParams(query), peer);
  expect(answer.status).toBe(status);
  expect(answer.body).toContain(why);
});

test.each([
  ['all', {}],
  [{ key: '10.0.0.7' }, { key: '10.0.0.7' }],
  [{ server: 'a' }, { server: 'a' }],
  [
    { key: 'k', server: 'a' },
    { key: 'k', server: 'a' },
  ],
])('entries are cleared: %j', async (clear, which) => {
  const { asked, operations } = setUp();
  const answer = await clearAnswer(
    operations,
    new URLSearchParams('backend=web'),
    { clear, by: 'alice' },
    HERE,
  );
  expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { cleared: 2 }]);
  expect(asked).toEqual([['web', which, 'alice']]);
});

test('nobody clears all by leaving out a word', async () => {
  const { asked, operations } = setUp();
  const web = new URLSearchParams('backend=web');
  for (const body of [
    undefined,
    {},
    { clear: {} },
    { clear: true },
    { clear: { key: '' } },
    { clear: { key: 7 } },
  ]) {
    expect((await clearAnswer(operations, web, body, HERE)).status).toBe(400);
  }
  const all = { clear: 'all' };
  expect((await clearAnswer(operations, new URLSearchParams(), all, HERE)).body).toContain('web or api');
  expect(asked).toEqual([]);
  expect((await clearAnswer(operations, new URLSearchParams('backend=no'), all, HERE)).status).toBe(404);
});

test('a data plane that does not answer is told as such', async () => {
  const failing = async () => {
    throw new VaneError('INTERNAL', 'the data plane did not answer within 10 ms');
  };
  const operations = { ...setUp().operations, show: failing, clear: failing };
  const web = new URLSearchParams('backend=web');
  expect(await tablesAnswer(operations, web, HERE)).toMatchObject({ status: 503 });
  expect(await clearAnswer(operations, web, { clear: 'all' }, HERE)).toMatchObject({ status: 503 });
});
