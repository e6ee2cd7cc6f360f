import type { VaneError } from '../../core/errors.ts';

/** Where a request was when it ended: HAProxy's letters (configuration manual, section 8.5). */
export type Phase = 'request' | 'queue' | 'connect' | 'upload' | 'headers' | 'data';

const PHASE_LETTER: Record<Phase, string> = {
  request: 'R',
  queue: 'Q',
  connect: 'C',
  // HAProxy sends the body while it waits for the answer: `cH` is a client that was slow to send a POST.
  upload: 'H',
  headers: 'H',
  data: 'D',
};

/**
 * HAProxy's two letters: who ended the session, and in which phase. `--` when nothing went wrong.
 * `D` is HAProxy's letter for work ended because its server went away, `K` for work ended by the operator.
 */
export function termination(error: VaneError | undefined, phase: Phase): string {
  if (error === undefined) return '--';
  // It got no place in the queue that it was meant for.
  const where = error.code === 'QUEUE_FULL' ? 'queue' : phase;
  return `${causeLetter(error)}${PHASE_LETTER[where]}`;
}

function causeLetter(error: VaneError): string {
  switch (error.code) {
    case 'CLIENT_ABORTED':
      return 'C';
    case 'CLIENT_TIMEOUT':
      return 'c';
    case 'REQUEST_INVALID':
    case 'UPSTREAM_PROTOCOL':
      return 'P';
    case 'CONNECT_TIMEOUT':
    case 'UPSTREAM_TIMEOUT':
    case 'QUEUE_TIMEOUT':
      return 's';
    case 'SERVER_REMOVED':
      return 'D';
    case 'STOPPING':
      return 'K';
    case 'INTERNAL':
      return 'I';
    default:
      return 'S';
  }
}
