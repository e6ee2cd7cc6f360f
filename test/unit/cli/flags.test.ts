import { expect, test } from 'vitest';
import { parseFlags } from '../../../src/cli/consul/flags.ts';

const KINDS = { name: 'text', tag: 'text', cas: 'switch' } as const;

test.each<[string[], { name?: string; tags?: string[]; cas?: boolean; rest?: string[] }]>([
  [[], {}],
  [['-name', 'web', 'a', '-cas'], { name: 'web', rest: ['a', '-cas'] }],
  [['--name=web', '-cas'], { name: 'web', cas: true }],
  [['-name=a=b', '-name='], { name: '' }],
  [['-name', '-cas'], { name: '-cas' }],
  [['-tag=a', '-tag', 'b'], { tags: ['a', 'b'] }],
  [['-cas=false', '--', '-name'], { cas: false, rest: ['-name'] }],
  [['-'], { rest: ['-'] }],
  [['-name=two\nlines'], { name: 'two\nlines' }],
])('%j', (args, expected) => {
  const flags = parseFlags(args, KINDS);
  expect({
    name: flags.text('name'),
    tags: flags.list('tag'),
    cas: flags.on('cas'),
    rest: flags.rest,
  }).toEqual({
    ...{ name: undefined, tags: [], cas: false, rest: [] },
    ...expected,
  });
});

test.each([
  [['-none'], 'there is no flag -none; there are -name, -tag, -cas'],
  [['-name'], '-name needs a value'],
  [['-cas=maybe'], '-cas is true or false, not maybe'],
  [['-constructor=1'], 'there is no flag -constructor'],
])('%j is refused', (args, message) => {
  expect(() => parseFlags(args, KINDS)).toThrow(message);
});
