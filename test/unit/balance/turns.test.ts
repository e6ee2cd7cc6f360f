import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Turns } from '../../../src/balance/algorithms/turns.ts';

/** A round of one server of each weight, named a, b, c, … */
function turnsOf(...weights: number[]): Turns {
  const turns = new Turns();
  turns.rebuild(
    weights.map((weight, i) => {
      const name = String.fromCharCode(97 + i);
      const plain = { address: '10.0.0.1', port: 80, tier: 0, backup: false, maxconn: 0 };
      return { ...plain, id: name, name, weight, admission: 'open' };
    }),
  );
  return turns;
}

/** Takes turns among the named servers. */
function take(turns: Turns, among: string, count = 1): string {
  let taken = '';
  for (let i = 0; i < count; i++) {
    for (const turn of turns.all) turn.candidate = among.includes(turn.server.id);
    taken += turns.next()?.id ?? '-';
  }
  return taken;
}

function credits(turns: Turns): number[] {
  return turns.all.map((turn) => turn.credit);
}

test('nobody is ever owed, or ahead by, more than one turn, whoever takes part', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.subarray([...'abcdefgh']), { maxLength: 100 }),
      (weights, rounds) => {
        const turns = turnsOf(...weights);
        for (const among of rounds) {
          take(turns, among.join(''));
          for (const credit of credits(turns)) expect(Math.abs(credit)).toBeLessThan(1 + 1e-6);
        }
      },
    ),
  );
});

test('who was left over while all others were busy is not flooded afterwards', () => {
  const turns = turnsOf(1, 1, 1, 1, 1, 1, 1, 1);
  // Each is busy with its first piece of work, so that the last one has the rest for itself for a while.
  for (let from = 0; from < 8; from++) take(turns, 'abcdefgh'.slice(from));
  take(turns, 'h', 20);
  const next = take(turns, 'abcdefgh', 16);
  for (const id of 'abcdefg') expect(next.split(id).length - 1).toBe(2);
});

test('who is left out pays back what it had in advance', () => {
  const turns = turnsOf(1, 1, 1);
  expect(take(turns, 'abc')).toBe('a');
  expect(credits(turns)[0]).toBeCloseTo(-2 / 3);
  take(turns, 'bc');
  expect(credits(turns)[0]).toBeCloseTo(-1 / 6);
  take(turns, 'bc', 10);
  expect(credits(turns)[0]).toBe(0);
});

test('who is left out earns nothing, but keeps what it is owed', () => {
  const turns = turnsOf(1, 1, 1);
  expect(take(turns, 'abc')).toBe('a');
  take(turns, 'ab', 10);
  expect(credits(turns)[2]).toBeCloseTo(1 / 3);
});

test('when all that take part are in debt the first to be out of it is next', () => {
  const turns = turnsOf(1, 2, 20);
  expect(take(turns, 'abc', 9)).toBe('cbcccccca');
  const [a = 0, b = 0] = credits(turns);
  expect(a).toBeLessThan(0);
  expect(b).toBeLessThan(0);
  // b was served before a, and pays back twice as fast; what time that takes passes for both.
  expect(take(turns, 'ab')).toBe('b');
  expect(credits(turns)[1]).toBeCloseTo(-1 / 3);
});

test('without anybody to take part there is no turn', () => {
  expect(take(turnsOf(1, 2), '')).toBe('-');
  expect(take(turnsOf(), 'a')).toBe('-');
});
