import type { Socket } from 'node:net';

/**
 * One thing that is kept for each socket, on the socket itself. A WeakMap would keep it, and the socket with it, until
 * the next full collection of garbage: V8's collections of young objects take the values of an old map for alive. With
 * many short connections that was a third of all CPU time.
 */
export class SocketSlot<T> {
  readonly #key = Symbol();

  get(socket: Socket): T | undefined {
    return (socket as Carrier<T>)[this.#key];
  }

  set(socket: Socket, thing: T | undefined): void {
    (socket as Carrier<T>)[this.#key] = thing;
  }
}

type Carrier<T> = Socket & { [key: symbol]: T | undefined };
