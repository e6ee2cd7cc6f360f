import type { GlobalConfig } from '../../config/runtime/global.ts';
import type { Cancel } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import type { PlaneEnd } from './channel.ts';
import type { OpenListener } from './doors.ts';
import { Listener } from './listener.ts';
import type { FromPlane, ToPlane } from './messages.ts';

/**
 * Of what control process and workers say to each other, `messages.ts` included. A worker may be of a later version
 * than the control process: raise it with every change that one of them would not understand of the other.
 */
export const PROTOCOL = '3';

/** All that the control process says to a worker process. */
export type ToWorker =
  /** First of all, and when it changes. */
  | { readonly type: 'settings'; readonly settings: WorkerSettings }
  /** Comes with a socket that is bound to the address of this key (see `doorKey`). */
  | { readonly type: 'socket'; readonly key: string }
  /** Another has taken its place: it is to drain, even if the control process is gone before it has. */
  | { readonly type: 'retire'; readonly withinMs: number }
  | { readonly type: 'plane'; readonly message: ToPlane };

/** What a worker says: always something of its plane. */
export interface FromWorker {
  readonly message: FromPlane;
  /** Lines of its access log that it had to drop so far. */
  readonly accessDropped: number;
}

export interface WorkerSettings {
  /** What people call it: 1, 2, … */
  readonly worker: number;
  readonly log: GlobalConfig['log'];
  /** Of a worker that the control process has left behind, ms. */
  readonly hardStopAfter: number;
}

/** Node's end of the channel of a process that was forked. */
export interface ForkedProcess {
  readonly connected: boolean;
  send?(
    message: FromWorker,
    handle: undefined,
    options: object,
    done: (error: Error | null) => void,
  ): unknown;
  on(event: 'message', fn: (message: unknown, handle: unknown) => void): unknown;
  on(event: 'disconnect', fn: () => void): unknown;
}

export interface WorkerChannelOptions {
  readonly process: ForkedProcess;
  readonly settings: (settings: WorkerSettings) => void;
  readonly accessDropped: () => number;
  /** Nothing is left to do: it was told to finish and has, or the control process is gone. */
  readonly over: () => void;
}

/**
 * The line to the control process as a worker process has it. When the control process is gone, the plane is told to
 * drain, so that no worker outlives it for long.
 */
export class WorkerChannel implements PlaneEnd {
  readonly #options: WorkerChannelOptions;
  /** What Node takes for a socket, by the key of its address. */
  readonly #sockets = new Map<string, unknown>();
  #receiver: ((message: ToPlane) => void) | undefined;
  #hardStopAfter = 0;
  #draining = false;
  #drained = false;

  constructor(options: WorkerChannelOptions) {
    this.#options = options;
    // Both ends are of the same program.
    options.process.on('message', (message, handle) => this.#take(message as ToWorker, handle));
    options.process.on('disconnect', () => this.#left());
  }

  post(message: FromPlane): void {
    const { process, accessDropped, over } = this.#options;
    if (message.type === 'drained') this.#drained = true;
    if (!process.connected) {
      if (this.#drained) over();
      return;
    }
    // That the other side is gone is told by `disconnect`.
    process.send?.({ message, accessDropped: accessDropped() }, undefined, {}, () => undefined);
  }

  onMessage(fn: (message: ToPlane) => void): Cancel {
    this.#receiver = fn;
    return () => {
      if (this.#receiver === fn) this.#receiver = undefined;
    };
  }

  close(): void {
    this.#receiver = undefined;
  }

  /** Listens on the socket that was given for an address. */
  readonly open: OpenListener = (bind, key, { onError }) => {
    const handle = this.#sockets.get(key);
    this.#sockets.delete(key);
    if (!handle) return Promise.reject(new VaneError('BIND_FAILED', 'no socket was given for it'));
    return Listener.take(bind, handle, onError);
  };

  #take(message: ToWorker, handle: unknown): void {
    switch (message.type) {
      case 'settings':
        this.#hardStopAfter = message.settings.hardStopAfter;
        this.#options.settings(message.settings);
        return;
      case 'socket':
        this.#sockets.set(message.key, handle);
        return;
      case 'retire':
        this.#receiver?.({ type: 'drain', withinMs: message.withinMs });
        return;
      case 'plane':
        if (message.message.type === 'drain') this.#draining = true;
        this.#receiver?.(message.message);
        return;
    }
  }

  #left(): void {
    // It had been told to stop already: then its work is either done or not wanted any more.
    if (this.#draining || this.#drained) this.#options.over();
    else this.#receiver?.({ type: 'drain', withinMs: this.#hardStopAfter });
  }
}
