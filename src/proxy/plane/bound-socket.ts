import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { getSystemErrorMap } from 'node:util';
import type { BindAddress } from '../../config/runtime/binds.ts';
import { messageOf, VaneError } from '../../core/errors.ts';

/**
 * A TCP socket that is bound, and listened on by whoever has it. As long as it is open here, connections wait in its
 * queue even while no worker process is there to take them.
 */
export interface BoundSocket {
  readonly port: number;
  /** What Node sends to another process. */
  readonly handle: unknown;
  close(): void;
}

/** Node's own object for a socket. */
interface Handle {
  close(): void;
  /** Returns 0, or the number of an error of the system. */
  getsockname(into: object): number;
}

/** Of libuv (uv.h): other sockets of this user that say the same may be bound to the same port (SO_REUSEPORT). */
const UV_TCP_REUSEPORT = 2;

/**
 * Binds a socket. Rejects with BIND_FAILED.
 * @param beside a socket of ours whose address is wider or narrower has the port, and is about to give it up: the new one
 *   takes over from it, and nobody is refused in between
 */
export async function bindSocket({ host, port }: BindAddress, beside = false): Promise<BoundSocket> {
  const { address, family } = await lookup(host).catch((error) => {
    throw new VaneError('BIND_FAILED', messageOf(error), { cause: error });
  });
  const bind = (flags: number) => bound(createHandle(address, port, family, flags));
  // Sockets that may share their port are not told that it is taken: a second process with our configuration would be.
  if (!beside && port !== 0) bind(0).close();
  return bind(UV_TCP_REUSEPORT);
}

function bound(handle: Handle): BoundSocket {
  const at = { port: 0 };
  // The system's answer to bind: that the address is taken, Node tells only here.
  const error = handle.getsockname(at);
  if (error !== 0) {
    handle.close();
    throw failure(error);
  }
  return { port: at.port, handle, close: () => handle.close() };
}

/**
 * Node has nothing public for a socket that is bound, not listened on, and can be sent to another process: to listen
 * on it here would be to accept here. This is what its module `cluster` uses for that.
 */
function createHandle(address: string, port: number, family: number, flags: number): Handle {
  const create: unknown = Reflect.get(net, '_createServerHandle');
  if (typeof create !== 'function') throw new VaneError('BIND_FAILED', 'this Node cannot share sockets');
  const handle: Handle | number = create(address, port, family, undefined, flags);
  if (typeof handle === 'number') throw failure(handle);
  return handle;
}

function failure(error: number): VaneError {
  const [name, words] = getSystemErrorMap().get(error) ?? [`error ${error}`, 'unknown error'];
  return new VaneError('BIND_FAILED', `bind ${name}: ${words}`);
}
