import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { getSystemErrorMap } from 'node:util';
import type { BindAddress } from '../config/runtime/binds.ts';
import { messageOf, VaneError } from '../core/errors.ts';

/**
 * A TCP socket that is bound here and listened on in worker processes. As long as it is open here, connections wait
 * in its queue even while no worker is there to take them.
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

/** Rejects with BIND_FAILED. */
export async function bindSocket({ host, port }: BindAddress): Promise<BoundSocket> {
  const { address, family } = await lookup(host).catch((error) => {
    throw new VaneError('BIND_FAILED', messageOf(error), { cause: error });
  });
  const handle = createHandle(address, port, family);
  const bound = { port: 0 };
  // The system's answer to bind: that the address is taken, Node tells only here.
  const error = handle.getsockname(bound);
  if (error !== 0) {
    handle.close();
    throw failure(error);
  }
  return { port: bound.port, handle, close: () => handle.close() };
}

/**
 * Node has nothing public for a socket that is bound, not listened on, and can be sent to another process: to listen
 * on it here would be to accept here. This is what its module `cluster` uses for that.
 */
function createHandle(address: string, port: number, family: number): Handle {
  const create: unknown = Reflect.get(net, '_createServerHandle');
  if (typeof create !== 'function') throw new VaneError('BIND_FAILED', 'this Node cannot share sockets');
  const handle: Handle | number = create(address, port, family, undefined, 0);
  if (typeof handle === 'number') throw failure(handle);
  return handle;
}

function failure(error: number): VaneError {
  const [name, words] = getSystemErrorMap().get(error) ?? [`error ${error}`, 'unknown error'];
  return new VaneError('BIND_FAILED', `bind ${name}: ${words}`);
}
