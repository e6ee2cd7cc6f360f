import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Turns } from '../../../src/balance/algorithms/turns.ts';
import { server } from '../../helpers/server-snapshot.ts';

/** A round of one server of each weight, named a, b, c, … */
function turnsOf(...weights: number[]): Turns {
  const turns = new Turns();
  turns.rebuild(weights.map((weight, i) => server(String.fromCharCode(97 + i), { weight })));
  return turns;
}

/** Takes turns among the named servers. */
function take(turns: Turns, among: string, count = 1): string {
  let taken = '';
  for (let i = 0; i < count; i++) taken += turns.next(({ id }) => among.includes(id))?.id ?? '-';
  return taken;
}

function count(taken: string, id: string): number {
  return taken.split(id).length - 1;
}

test('who was left over while all others were busy is not flooded afterwards', () => {
  const turns = turnsOf(1, 1, 1, 1, 1, 1, 1, 1);
  // Each is busy with its first piece of work, so that the last one has the rest for itself for a while.
  for (let from = 0; from < 8; from++) take(turns, 'abcdefgh'.slice(from));
  take(turns, 'h', 20);
  const next = take(turns, 'abcdefgh', 16);
  for (const id of 'abcdefg') expect(count(next, id)).toBe(2);
});

test('who is left out for long has the turn that it is owed at once, and none besides', () => {
  const turns = turnsOf(1, 1, 1);
  take(turns, 'ab', 60);
  const next = take(turns, 'abc', 9);
  expect(next[0]).toBe('c');
  expect(count(next, 'c')).toBe(3);
});

test('when all that take part have had their turns in advance the first to be due again is next', () => {
  const turns = turnsOf(1, 2, 20);
  expect(take(turns, 'abc', 9)).toBe('cbcccccca');
  // b had its turn before a, and pays for it twice as fast.
  expect(take(turns, 'ab')).toBe('b');
});

test('without anybody to take part there is no turn', () => {
  expect(take(turnsOf(1, 2), '')).toBe('-');
  expect(take(turnsOf(), 'a')).toBe('-');
});

test('after any servers took part in any number of turns, nobody is more than two turns off its share of the next ones', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.subarray([...'abcdefgh']), { maxLength: 100 }),
      (weights, rounds) => {
        const turns = turnsOf(...weights);
        for (const among of rounds) take(turns, among.join(''));
        const sum = weights.reduce((a, b) => a + b, 0);
        const next = take(turns, 'abcdefgh', 200);
        for (const [i, weight] of weights.entries()) {
          const share = (200 * weight) / sum;
          expect(Math.abs(count(next, String.fromCharCode(97 + i)) - share)).toBeLessThan(2 + weights.length);
        }
      },
    ),
  );
});

test('virtual time starts anew without disturbing the round', () => {
  const turns = turnsOf(3, 2);
  // 5 turns are one unit of time; long past the point where it starts anew.
  const taken = take(turns, 'ab', 20_000);
  for (let from = 0; from < 20_000; from += 5) expect(count(taken.slice(from, from + 5), 'a')).toBe(3);
});
