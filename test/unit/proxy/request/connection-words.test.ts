import { expect, test } from 'vitest';
import { connectionWords } from '../../../../src/proxy/request/connection-words.ts';

test.each([
  ['close', ['close']],
  ['keep-alive', ['keep-alive']],
  ['Keep-Alive', ['keep-alive']],
  ['Upgrade,\tX-Private , close', ['upgrade', 'x-private', 'close']],
  ['', ['']],
])('%j lists %j', (value, words) => {
  expect(connectionWords(value)).toEqual(words);
});
