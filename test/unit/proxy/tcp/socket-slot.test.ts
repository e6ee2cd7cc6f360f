import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { SocketSlot } from '../../../../src/proxy/tcp/socket-slot.ts';

test('keeps one thing for each socket, apart from other slots', () => {
  const [a, b] = [new Socket(), new Socket()];
  const names = new SocketSlot<string>();
  const numbers = new SocketSlot<number>();
  names.set(a, 'a');
  names.set(b, 'b');
  numbers.set(a, 1);
  expect([names.get(a), names.get(b), numbers.get(a), numbers.get(b)]).toEqual(['a', 'b', 1, undefined]);
  names.set(a, undefined);
  expect([names.get(a), numbers.get(a)]).toEqual([undefined, 1]);
});
