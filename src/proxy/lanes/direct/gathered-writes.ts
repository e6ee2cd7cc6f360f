/** Something that has been written, but not handed to the system yet. */
export interface Gathered {
  /** Hands it over; does nothing if that has been done. */
  flush(): void;
}

/** So many in a row are enough to wake a reader once for all of them; more would only keep the readers waiting. */
const MOST = 64;

let waiting: Gathered[] = [];
let scheduled = false;

/**
 * Has `writer` flushed together with others: soon, and no later than at the end of this turn of the event loop. A write
 * to a connection whose reader sleeps has to wake it, which costs the system as much as the write itself. While one
 * reads requests and answers in between, the other side falls asleep after each; of several writes in a row, only the
 * first has to wake it.
 */
export function gather(writer: Gathered): void {
  if (waiting.push(writer) >= MOST) flushAll();
  else if (!scheduled) {
    scheduled = true;
    setImmediate(endTurn);
  }
}

function endTurn(): void {
  scheduled = false;
  flushAll();
}

function flushAll(): void {
  const writers = waiting;
  waiting = [];
  for (const writer of writers) writer.flush();
}
