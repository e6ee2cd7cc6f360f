import { expect, test } from 'vitest';
import { TicketKeys } from '../../../src/control/ticket-keys.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

test('a key is made at once, another one every twelve hours, and none after the end', () => {
  const clock = new FakeClock();
  const keys: Uint8Array[] = [];
  const tickets = new TicketKeys(clock, (key) => keys.push(key));
  tickets.start();
  expect(keys.map(({ length }) => length)).toEqual([48]);
  clock.advance(12 * 3_600_000 - 1);
  expect(keys).toHaveLength(1);
  clock.advance(1);
  clock.advance(12 * 3_600_000);
  expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(3);
  tickets.stop();
  expect(clock.pending).toBe(0);
});
