import { expect, test } from 'vitest';
import { Emitter } from '../../../src/core/emitter.ts';

test('a listener that throws does not keep the others from hearing', () => {
  const errors: unknown[] = [];
  const heard: number[] = [];
  const emitter = new Emitter<number>((error) => errors.push(error));
  emitter.on(() => {
    throw new Error('first');
  });
  const cancel = emitter.on((value) => heard.push(value));
  emitter.emit(1);
  cancel();
  emitter.emit(2);
  expect(heard).toEqual([1]);
  expect(errors).toHaveLength(2);
});
