import type { AttemptOutcome, RequestHead } from '../lanes/lane.ts';

/** Methods that may reach a server twice: they change nothing there (RFC 9110, section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether sending the request twice does no harm. */
export function isRepeatable(head: Pick<RequestHead, 'method' | 'bodyless'>): boolean {
  return head.bodyless && SAFE.has(head.method);
}

/**
 * Whether a failed attempt may be made again. A request of which no byte reached a server always may; one
 * that was sent only if it is safe and bodyless and the server said nothing to it: it was killed, or closed
 * an idle connection at the moment we used it. A server that is merely slow is not asked again.
 */
export function mayRepeat(
  head: Pick<RequestHead, 'method' | 'bodyless'>,
  outcome: Pick<
    AttemptOutcome,
    'error' | 'responseStarted' | 'replayable' | 'nothingSent' | 'bytesFromServer'
  >,
): boolean {
  if (!outcome.error?.retryable || outcome.responseStarted || !outcome.replayable) return false;
  if (outcome.nothingSent) return true;
  return outcome.bytesFromServer === 0 && isRepeatable(head);
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
