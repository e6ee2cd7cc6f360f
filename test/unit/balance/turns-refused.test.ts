import { expect, test } from 'vitest';
import { Turns } from '../../../src/balance/algorithms/turns.ts';
import { server } from '../../helpers/server-snapshot.ts';

const all = () => true;
const but = (id: string) => (one: { readonly id: string }) => one.id !== id;

function turnsOf(load: ReadonlyMap<string, number>, ...ids: readonly string[]) {
  const turns = new Turns((id) => load.get(id) ?? 0);
  turns.rebuild(ids.map((id) => server(id)));
  const next = (count: number, accept: (one: { readonly id: string }) => boolean = all) =>
    Array.from({ length: count }, () => turns.next(accept)?.id ?? '-').join('');
  return { turns, next };
}

test('a full server has the turn that it is owed as soon as its load has changed', () => {
  const { turns, next } = turnsOf(new Map([['b', 3]]), 'a', 'b', 'c');
  expect(next(4, but('b'))).toBe('acac');
  turns.loadChanged('b');
  expect(next(1)).toBe('b');
});

test('one that has refused for another reason is asked again within a round', () => {
  const { next } = turnsOf(new Map([['b', 3]]), 'a', 'b', 'c', 'd');
  next(5, but('b'));
  expect(next(4)).toContain('b');
  const { next: idle } = turnsOf(new Map(), 'a', 'b', 'c', 'd');
  idle(5, but('b'));
  expect(idle(1)).toBe('b');
});

test('where nobody else is left, those who have refused are asked at once', () => {
  const { next } = turnsOf(new Map([['a', 1]]), 'a', 'b');
  expect(next(3, but('a'))).toBe('bbb');
  expect(next(1, but('b'))).toBe('a');
  expect(next(2, () => false)).toBe('--');
  expect(next(1)).not.toBe('-');
});
