import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../../core/clock.ts';

/** How often it is looked whether the answer is out, ms, and how many times at most. */
const LOOK_MS = 20;
const LOOKS = 500;

/**
 * Tells a client whose answer is given to stop sending the body of its request (RFC 9113, section 8.1): nobody reads
 * it. The reset has to stay behind the end of the answer, which nghttp2 would drop for it and tells nobody about.
 * @param onReset hears that it is told so just now; never, if it stops by itself
 */
export function dismiss(stream: ServerHttp2Stream, clock: Clock, onReset: () => void): void {
  let looks = 0;
  const look = () => {
    if (stream.state.localClose !== 1 && ++looks < LOOKS) cancel = clock.after(LOOK_MS, look);
    else {
      onReset();
      stream.close(constants.NGHTTP2_NO_ERROR);
    }
  };
  let cancel = clock.after(LOOK_MS, look);
  stream.once('close', () => cancel());
}
