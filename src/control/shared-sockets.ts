import type { BindAddress } from '../config/runtime/binds.ts';
import type { FrontendConfig } from '../config/runtime/frontends.ts';
import { messageOf } from '../core/errors.ts';
import type { BoundSocket } from '../proxy/plane/bound-socket.ts';
import { doorKey, doorKeys, takesOver } from '../proxy/plane/doors.ts';
import type { BindProblem } from '../proxy/plane/messages.ts';

/** By key; see {@link doorKey}. */
export type SocketsByKey = ReadonlyMap<string, BoundSocket>;

/** See `bindSocket`. */
export type BindSocket = (address: BindAddress, beside: boolean) => Promise<BoundSocket>;

/** The sockets that a configuration needs: those there are, and new ones, which are kept or given up. */
export type Bound =
  | {
      readonly ok: true;
      readonly sockets: SocketsByKey;
      /** Makes them the sockets there are; returns what closes those that are not needed any more. */
      readonly keep: () => () => void;
      readonly undo: () => void;
    }
  | { readonly ok: false; readonly problems: readonly BindProblem[] };

/**
 * The sockets that all workers listen on together. They outlive each worker, so that nobody is refused while one is
 * replaced, and reloads that keep their address.
 */
export class SharedSockets {
  readonly #bind: BindSocket;
  #sockets: SocketsByKey = new Map();
  #closed = false;

  constructor(bind: BindSocket) {
    this.#bind = bind;
  }

  get all(): SocketsByKey {
    return this.#sockets;
  }

  /** Binds what is not bound yet; all of it, or nothing. Not to be called again before `keep` or `undo`. */
  async bind(frontends: readonly FrontendConfig[]): Promise<Bound> {
    const sockets = new Map<string, BoundSocket>();
    const fresh: BoundSocket[] = [];
    const problems: BindProblem[] = [];
    const kept = doorKeys(frontends);
    for (const { name: frontend, bind: binds } of frontends) {
      for (const [i, bind] of binds.entries()) {
        const key = doorKey(bind, frontend, i);
        const open = this.#sockets.get(key);
        try {
          const socket = open ?? (await this.#bind(bind, takesOver(bind, this.#sockets, kept)));
          if (!open) fresh.push(socket);
          sockets.set(key, socket);
        } catch (error) {
          problems.push({ frontend, bind, message: messageOf(error) });
        }
      }
    }
    const undo = () => {
      for (const socket of fresh) socket.close();
    };
    if (problems.length === 0) return { ok: true, sockets, keep: () => this.#keep(sockets), undo };
    undo();
    return { ok: false, problems };
  }

  /** Also those that are kept later. */
  close(): void {
    this.#closed = true;
    this.#keep(new Map())();
  }

  #keep(next: SocketsByKey): () => void {
    const before = this.#sockets;
    this.#sockets = next;
    return () => {
      for (const [key, socket] of before) {
        if (this.#closed || next.get(key) !== socket) socket.close();
      }
      if (!this.#closed) return;
      for (const socket of next.values()) socket.close();
      this.#sockets = new Map();
    };
  }
}
