import type { Socket } from 'node:net';

/**
 * One thing that is kept for each socket, on the socket itself. A WeakMap would keep it, and the socket with it, until
 * the next full collection of garbage: V8's collections of young objects take the values of an old map for alive. With
 * many short connections that was a third of all CPU time.
 *
 * To be made once for each purpose, not for each owner: all sockets have as many places as there are slots.
 */
export class SocketSlot<T> {
  readonly #place = places++;

  get(socket: Socket): T | undefined {
    return (socket as Carrier<T>)[THINGS]?.[this.#place];
  }

  set(socket: Socket, thing: T | undefined): void {
    const carrier = socket as Carrier<T>;
    // One property for all slots: with the same ones in the same order, all sockets look alike to V8.
    carrier[THINGS] ??= new Array(places).fill(undefined);
    carrier[THINGS][this.#place] = thing;
  }
}

const THINGS = Symbol('things');

let places = 0;

type Carrier<T> = Socket & { [THINGS]?: (T | undefined)[] };
