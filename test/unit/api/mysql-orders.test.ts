import { expect, test } from 'vitest';
import { type MysqlOperations, orderAnswer } from '../../../src/api/stats/mysql-orders.ts';
import { mysqlVipView } from '../observe/system-view.ts';

function operations(names: readonly string[] = ['main']) {
  const told: unknown[][] = [];
  const all: MysqlOperations = {
    view: () => names.map((name) => mysqlVipView({ name })),
    order: (...order) => {
      told.push(order);
      if (!names.includes(order[0])) return undefined;
      return Promise.resolve(order[1].do === 'failback' ? { refused: 'not now' } : { will: 'it is done' });
    },
  };
  return { all, told };
}

test.each([
  [{ order: 'switchover' }, { do: 'switchover', to: undefined }],
  [
    { order: 'switchover', server: 'db2' },
    { do: 'switchover', to: 'db2' },
  ],
  [
    { order: 'promote', again: true },
    { do: 'promote', to: undefined, again: true },
  ],
  [{ order: 'freeze' }, { do: 'freeze', time: undefined }],
  [
    { order: 'freeze', time: 60_000 },
    { do: 'freeze', time: 60_000 },
  ],
  [{ order: 'pause', server: 'db2' }, { do: 'pause' }],
  [
    { order: 'rejoin', server: 'db1' },
    { do: 'rejoin', server: 'db1' },
  ],
])('%j is understood', async (body, order) => {
  const { all, told } = operations();
  const answer = await orderAnswer(all, new URLSearchParams(), { ...body, by: 'alice' }, '127.0.0.1');
  expect(answer).toMatchObject({ status: 200, body: '{"will":"it is done"}\n' });
  expect(told).toEqual([['main', order, 'alice', false]]);
});

test('what only would be done is not', async () => {
  const { all, told } = operations();
  await orderAnswer(all, new URLSearchParams(), { order: 'pause', dryRun: true }, '127.0.0.1');
  expect(told).toEqual([['main', { do: 'pause' }, 'a client at 127.0.0.1', true]]);
});

test.each([
  [undefined, 400, 'Expected {"order": …}'],
  ['pause', 400, 'Expected {"order": …}'],
  [{ order: 'explode' }, 400, 'Expected {"order": …}'],
  [{ order: 'drain' }, 400, 'Expected "server"'],
  [{ order: 'freeze', time: -1 }, 400, 'Expected "time"'],
  [{ order: 'freeze', time: '1h' }, 400, 'Expected "time"'],
  [{ order: 'failback' }, 409, 'not now'],
])('%j is answered by %i', async (body, status, words) => {
  const { all } = operations();
  const answer = await orderAnswer(all, new URLSearchParams(), body, '127.0.0.1');
  expect(answer).toMatchObject({ status, body: expect.stringContaining(words) });
});

test('which section must be said where there are several, and be one of them', async () => {
  const { all } = operations(['main', 'orders']);
  const ask = (query: string) => orderAnswer(all, new URLSearchParams(query), { order: 'pause' }, undefined);
  expect(await ask('')).toMatchObject({ status: 400, body: 'Which mysql-vip? ?vip=main or orders\n' });
  expect(await ask('vip=orders')).toMatchObject({ status: 200 });
  expect(await ask('vip=other')).toMatchObject({ status: 404 });
});
