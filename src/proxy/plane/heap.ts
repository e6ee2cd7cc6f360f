import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 keep the heap near what is in use. Most of it is the registry, which lives long; left to itself V8 would let as
 * much garbage gather beside it again, and its young generation grow to many times what one turn needs. For a process that
 * serves requests itself this would cost some percent of its CPU time.
 */
export function keepHeapTight(): void {
  setFlagsFromString('--heap-growing-percent=25');
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Has V8 make all new objects where they are young. It would make those of code that has seen most of its objects live
 * on in the old generation at once; and of requests, a collection always finds just those that are under way. Dead
 * objects there keep alive whatever young ones they point to, so that half of what each request leaves behind would
 * wait for the next full collection: a third of the CPU time of a busy plane. And the program starts with its young
 * generation held small.
 */
export function keepRequestsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
  setFlagsFromString('--semi-space-growth-factor=2');
}
