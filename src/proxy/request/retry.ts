import type { RetryOn } from '../../config/runtime/backends.ts';
import type { AttemptOutcome, RequestHead } from '../lanes/lane.ts';

/** Methods that may reach a server twice: they change nothing there (RFC 9110, section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether sending the request twice does no harm. */
export function isRepeatable(head: Pick<RequestHead, 'method' | 'bodyless'>): boolean {
  return head.bodyless && SAFE.has(head.method);
}

/** Whether it may be at two servers at once: nothing is changed by it there, and no connection becomes another's. */
export function mayHedge({
  method,
  bodyless,
  upgrade,
}: Pick<RequestHead, 'method' | 'bodyless' | 'upgrade'>): boolean {
  return bodyless && !upgrade && (method === 'GET' || method === 'HEAD');
}

/** Methods of which two do no more than one (RFC 9110, section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([...SAFE, 'PUT', 'DELETE']);

/**
 * Whether a failed attempt may be made again. A request of which no byte reached a server always may, unless
 * `retry-on` leaves failed connections out. One that was sent may if `retry-on` names what happened to it and its
 * method is idempotent; without `retry-on` only if it is safe and bodyless and the server said nothing to it: it was
 * killed, or closed an idle connection at the moment we used it. A server that is merely slow is not asked again.
 */
export function mayRepeat(
  head: Pick<RequestHead, 'method' | 'bodyless'>,
  outcome: Pick<
    AttemptOutcome,
    'error' | 'responseStarted' | 'replayable' | 'nothingSent' | 'bytesFromServer'
  >,
  on?: RetryOn,
): boolean {
  if (!outcome.error || outcome.responseStarted || !outcome.replayable) return false;
  if (on) return outcome.nothingSent ? outcome.error.retryable && on.connFailure : isNamed(head, outcome, on);
  if (!outcome.error.retryable) return false;
  if (outcome.nothingSent) return true;
  return outcome.bytesFromServer === 0 && isRepeatable(head);
}

/** Whether the body of a request is worth keeping: once some of it was sent, it could be sent again. */
export function isWorthKeeping(head: Pick<RequestHead, 'method'>, on: RetryOn | undefined): boolean {
  return on !== undefined && IDEMPOTENT.has(head.method);
}

/** Whether another answer may be asked for, as `retry-on` does not want one with this status. */
export function isUnwanted(head: Pick<RequestHead, 'method'>, status: number, on: RetryOn): boolean {
  return on.statuses.includes(status) && IDEMPOTENT.has(head.method);
}

function isNamed(
  head: Pick<RequestHead, 'method'>,
  { error }: Pick<AttemptOutcome, 'error'>,
  on: RetryOn,
): boolean {
  if (!IDEMPOTENT.has(head.method)) return false;
  switch (error?.code) {
    case 'UPSTREAM_CLOSED':
    case 'SERVER_REMOVED':
      return on.emptyResponse;
    case 'UPSTREAM_PROTOCOL':
      return on.junkResponse;
    case 'UPSTREAM_TIMEOUT':
      return on.responseTimeout;
    case 'UPSTREAM_STATUS':
      return true;
    default:
      return false;
  }
}

/**
 * Whether an attempt failed only because the idle connection it used had been closed at that moment: the server may
 * be well, and a new connection to it tells. Such a failure is nobody's fault and counts as no retry.
 */
export function isStale(head: Pick<RequestHead, 'method' | 'bodyless'>, outcome: AttemptOutcome): boolean {
  return (
    outcome.reused &&
    outcome.error?.code === 'UPSTREAM_CLOSED' &&
    outcome.bytesFromServer === 0 &&
    mayRepeat(head, outcome)
  );
}
