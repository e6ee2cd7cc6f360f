import type { Socket } from 'node:net';
import type { BindAddress, FrontendConfig } from '../../config/runtime.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Listener } from './listener.ts';
import type { BindProblem, Listening } from './messages.ts';

/**
 * Opens one address that is to be listened on; rejects with BIND_FAILED.
 * @param key of {@link doorKey}
 * @param onError hears why a connection could not be accepted
 */
export type OpenListener = (
  bind: BindAddress,
  key: string,
  onError: (error: Error) => void,
) => Promise<Listener>;

/** Takes an accepted connection on behalf of a frontend. */
type Admit = (frontend: string, socket: Socket) => void;

/** Either everything is open and waits to be taken or discarded, or nothing has changed. */
export type Opened =
  | { readonly ok: true; readonly take: (admit: Admit) => void; readonly discard: () => void }
  | { readonly ok: false; readonly problems: readonly BindProblem[] };

interface Door {
  readonly listener: Listener;
  readonly frontend: string;
}

/** The listening addresses of a plane. Those that stay over a reload keep their socket, whichever frontend they serve. */
export class Doors {
  readonly #log: Log;
  readonly #openListener: OpenListener;
  #doors: ReadonlyMap<string, Door> = new Map();

  constructor(
    log: Log,
    open: OpenListener = (bind, _key, onError) => Listener.open(bind, { listenOn: bind, onError }),
  ) {
    this.#log = log;
    this.#openListener = open;
  }

  get listening(): readonly Listening[] {
    return [...this.#doors.values()].map(({ frontend, listener: { bind, port } }) => ({
      frontend,
      bind,
      port,
    }));
  }

  /** Opens what is not open yet. Until `take` is called, the old doors go on as before. */
  async open(frontends: readonly FrontendConfig[]): Promise<Opened> {
    const next = new Map<string, Door>();
    const fresh: Listener[] = [];
    const problems: BindProblem[] = [];
    for (const { name: frontend, bind: binds } of frontends) {
      for (const [i, bind] of binds.entries()) {
        const key = doorKey(bind, frontend, i);
        const open = this.#doors.get(key)?.listener;
        try {
          const listener = open ?? (await this.#listen(bind, key));
          if (!open) fresh.push(listener);
          next.set(key, { listener, frontend });
        } catch (error) {
          problems.push({ frontend, bind, message: messageOf(error) });
        }
      }
    }
    const discard = () => {
      for (const listener of fresh) listener.close();
    };
    if (problems.length === 0) return { ok: true, take: (admit) => this.#take(next, admit), discard };
    discard();
    return { ok: false, problems };
  }

  /** Accepts nothing more. */
  close(): void {
    for (const { listener } of this.#doors.values()) listener.close();
    this.#doors = new Map();
  }

  #take(next: ReadonlyMap<string, Door>, admit: Admit): void {
    for (const [key, { listener }] of this.#doors) {
      if (!next.has(key)) listener.close();
    }
    for (const { listener, frontend } of next.values()) {
      listener.serve((socket) => admit(frontend, socket));
    }
    this.#doors = next;
  }

  #listen(bind: BindAddress, key: string): Promise<Listener> {
    return this.#openListener(bind, key, (error) => {
      this.#log.error(
        { bind: `${bind.host}:${bind.port}`, error: messageOf(error) },
        'cannot accept connections',
      );
    });
  }
}

/**
 * What makes an address of one configuration the same as one of another. Port 0 asks for a port of its own each time
 * it is written.
 */
export function doorKey({ host, port }: BindAddress, frontend: string, index: number): string {
  return port === 0 ? `${host}:0 ${frontend} ${index}` : `${host}:${port}`;
}
