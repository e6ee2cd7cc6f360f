import type { ServerSnapshot } from '../../balance/server.ts';
import type { BackendConfig } from '../../config/runtime/backends.ts';
import type { WaitQueue } from './wait-queue.ts';

/** Requests waiting at most when the configuration says 0. */
export const DEFAULT_MAXQUEUE = 1024;

/** Why somebody is not to wait: it would lead to nothing, or take longer than he may wait. */
export interface Refusal {
  readonly message: string;
  /** There is a place, but it would not be served in time. */
  readonly early: boolean;
}

/**
 * Whether one more may wait; undefined: he may. Who is refused can go elsewhere at once.
 * @param own the server that he has to wait for, if no other will do
 */
export function refusal(
  queue: Pick<WaitQueue, 'length' | 'expectedMs' | 'waitingFor'>,
  { name, maxqueue, timeout }: Pick<BackendConfig, 'name' | 'maxqueue' | 'timeout'>,
  own: ServerSnapshot | undefined,
): Refusal | undefined {
  if (queue.length >= (maxqueue || DEFAULT_MAXQUEUE)) {
    return { message: `the queue of backend ${name} is full`, early: false };
  }
  if (own?.maxqueue && queue.waitingFor(own.id) >= own.maxqueue) {
    return { message: `the queue of server ${name}/${own.name} is full`, early: false };
  }
  const { expectedMs = 0 } = queue;
  if (timeout.queue === 0 || expectedMs <= timeout.queue) return undefined;
  const seconds = (expectedMs / 1000).toFixed(1);
  return { message: `backend ${name} would have a server free in ${seconds} s only`, early: true };
}
