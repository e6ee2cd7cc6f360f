import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 keep the heap of a control process near what is in use. Most of that is the registry, which lives long; left
 * to itself V8 would let as much garbage gather beside it again, and its young generation grow to many times what one
 * turn needs. For a process that serves requests itself this would cost too much.
 */
export function keepHeapTight(): void {
  setFlagsFromString('--heap-growing-percent=25');
  setFlagsFromString('--semi-space-growth-factor=1');
}
