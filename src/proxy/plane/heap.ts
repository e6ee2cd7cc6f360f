import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * Bytes of new objects between two collections of them. What requests leave behind dies before: more would only be memory
 * (V8 would take up to 64 MB), less would be too many collections.
 */
const YOUNG_BYTES = 4 * 1024 * 1024;
/** Enough for V8 to have grown to that: pieces of a few KB, of which the last ones live. */
const PIECES = 2_000;
const LIVE_PIECES = 150;

/**
 * Has V8 keep the heap near what is in use. Most of it is the registry, which lives long; left to itself V8 would let as
 * much garbage gather beside it again, and its young generation grow to many times what one turn needs.
 */
export function keepHeapTight(): void {
  setFlagsFromString('--heap-growing-percent=25');
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Has V8 make all new objects where they are young. It would make those of code that has seen most of its objects live
 * on in the old generation at once; and of requests, a collection always finds just those that are under way. Dead
 * objects there keep alive whatever young ones they point to, so that half of what each request leaves behind would
 * wait for the next full collection: a third of the CPU time of a busy plane. The heap is kept tight besides.
 */
export function keepRequestsYoung(): void {
  keepHeapTight();
  setFlagsFromString('--no-allocation-site-pretenuring');
  growYoungGeneration();
}

/** V8 has no setting for it after the start: it is made to grow, and then told to stop. */
function growYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
  let live: unknown[] = [];
  for (let i = 0; i < PIECES && youngBytes() < YOUNG_BYTES; i++) {
    live.push(Array.from({ length: 200 }, (_, value) => ({ value })));
    if (live.length > LIVE_PIECES) live = live.slice(LIVE_PIECES / 2);
  }
  setFlagsFromString('--semi-space-growth-factor=1');
}

function youngBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  // What V8 calls its size is of both halves, of which one is in use.
  return young ? young.space_used_size + young.space_available_size : YOUNG_BYTES;
}
