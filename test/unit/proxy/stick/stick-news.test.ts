import { expect, test } from 'vitest';
import { StickNews } from '../../../../src/proxy/stick/stick-news.ts';
import { StickTable } from '../../../../src/proxy/stick/stick-table.ts';
import { FakeClock } from '../../../helpers/fake-clock.ts';

function setUp() {
  const clock = new FakeClock();
  const told: [string, readonly { key: string; server: string; since: number }[]][] = [];
  const news = new StickNews(clock, (backend, entries) => told.push([backend, entries]));
  return { clock, told, news };
}

test('entries are told together a little later, of each client the last', () => {
  const { clock, told, news } = setUp();
  news.add('web', { key: 'a', server: 's1', since: 1 });
  news.add('web', { key: 'a', server: 's2', since: 1 });
  news.add('api', { key: 'b', server: 's1', since: 1 });
  expect(told).toEqual([]);
  clock.advance(20);
  expect(told).toEqual([
    ['web', [{ key: 'a', server: 's2', since: 1 }]],
    ['api', [{ key: 'b', server: 's1', since: 1 }]],
  ]);
  expect(clock.pending).toBe(0);
});

test('more than can be told at once is not kept', () => {
  const { clock, told, news } = setUp();
  for (let i = 0; i < 5_000; i++) news.add('web', { key: `${i}`, server: 's1', since: 1 });
  clock.advance(20);
  expect(told.map(([, entries]) => entries.length)).toEqual([1_000]);
});

test('a table is taught in the order in which it was used, in pieces', () => {
  const { told, news } = setUp();
  const table = new StickTable({
    ...{ type: 'string', length: 32, size: 3_000, expire: 0, nopurge: false, serverKey: 'name' },
  });
  for (let i = 0; i < 2_500; i++) table.put(`${i}`, 's1', 0, 1);
  table.find('0', 1);
  news.teach('web', table);
  expect(told.map(([, entries]) => entries.length)).toEqual([1_000, 1_000, 500]);
  expect(told.at(-1)?.[1].at(-1)).toEqual({ key: '0', server: 's1', since: 1, idle: 0 });
  news.teach('api', undefined);
  expect(told).toHaveLength(3);
});

test('nothing is told after the end', () => {
  const { clock, told, news } = setUp();
  news.add('web', { key: 'a', server: 's1', since: 1 });
  news.close();
  clock.advance(1_000);
  expect(told).toEqual([]);
});
