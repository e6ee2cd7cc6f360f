import type { Socket } from 'node:net';
import type { Cancel } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';

/**
 * Notices that a client goes away while nothing is taken from it; what it sends meanwhile stays in the socket, up
 * to the size of its buffer. Tells of it with CLIENT_ABORTED, never at once and perhaps more than once, until the
 * returned function takes its hands off the socket.
 *
 * A client that sends something and then its FIN is not gone: it waits for an answer. Node emits `end` only when
 * all bytes have been taken, so that here it means a client that has said nothing and left, as HAProxy sees it. A
 * reset behind more bytes than the buffer holds is noticed only by whoever reads on.
 */
export function watchClient(client: Socket, onGone: (reason: VaneError) => void): Cancel {
  const onEnd = () => onGone(new VaneError('CLIENT_ABORTED', 'client closed the connection'));
  const onError = ({ message }: Error) =>
    onGone(new VaneError('CLIENT_ABORTED', `connection to the client broke: ${message}`));
  client.on('error', onError);
  client.on('end', onEnd);
  client.on('close', onEnd);
  client.pause();
  // Reads ahead without handing anything out: only a socket that is read notices its end.
  client.read(0);
  return () => {
    client.off('error', onError);
    client.off('end', onEnd);
    client.off('close', onEnd);
  };
}
