import type { Socket } from 'node:net';
import type { ServerTls } from '../config/runtime/servers.ts';
import type { Clock } from '../core/clock.ts';
import { capitalWords } from './network-errors.ts';
import { openConnection } from './open-connection.ts';
import type { Probe, ProbeResult } from './probe.ts';

/** What is found in what a server says. */
export interface Finding {
  readonly good: boolean;
  /** HAProxy's check status: L7OK, L7STS, L7RSP… */
  readonly code: string;
  /** HAProxy's `last_chk`. */
  readonly info: string;
  /** The status of an HTTP answer. */
  readonly status?: number | undefined;
  /** See {@link ProbeResult.notFound}. */
  readonly notFound?: boolean;
}

/** One conversation with a server. */
export interface Talk {
  /** Said when the connection is open. */
  readonly opening?: Buffer | undefined;
  /**
   * Hears all that the server has said and nobody has taken in yet; undefined: wait for more.
   * @param ended the server says no more, or nothing more is heard of it
   */
  hear(received: Buffer, ended: boolean): Finding | Reply | undefined;
}

/** What is said next, and how many bytes of what was received are done with. */
export interface Reply {
  readonly say: Buffer;
  readonly taken: number;
}

/** How a server is asked; undefined: it is enough that the connection opens. */
export type Script = () => Talk;

/** Where a server is checked, and how it is spoken to. */
export interface DialogueAddress {
  readonly host: string;
  readonly port: number;
  /** Undefined: in the clear. */
  readonly tls?: ServerTls | undefined;
  /** What goes before all else. */
  readonly head?: Buffer | undefined;
}

/**
 * For the connection to open and, from then on, for all else, ms: HAProxy's times where `timeout check` is set.
 * Undefined: whoever runs the probe has one time for all of it.
 */
export interface DialogueTimes {
  readonly clock: Clock;
  readonly connect: number;
  readonly answer: number;
}

/** More is not heard of a server: HAProxy's buffer is as large. */
const MOST_BYTES = 16_384;
const NOTHING = Buffer.alloc(0);

/**
 * A check that speaks with a server over a connection of its own. It is ended by a reset, as HAProxy does, so that
 * checks every other second do not fill the machine with sockets in TIME_WAIT.
 */
export function dialogueProbe(at: DialogueAddress, script: Script | undefined, times?: DialogueTimes): Probe {
  return {
    run: (signal) =>
      new Promise((resolve) => {
        new Dialogue(at, script, times, signal, resolve).begin();
      }),
  };
}

class Dialogue {
  readonly #at: DialogueAddress;
  readonly #script: Script | undefined;
  readonly #times: DialogueTimes | undefined;
  readonly #signal: AbortSignal;
  readonly #resolve: (result: ProbeResult) => void;
  #reached: 'nothing' | 'tcp' | 'open' = 'nothing';
  #socket: Socket | undefined;
  #talk: Talk | undefined;
  #received: Buffer = NOTHING;
  #cancelTimer: () => void = () => {};
  #over = false;

  constructor(
    at: DialogueAddress,
    script: Script | undefined,
    times: DialogueTimes | undefined,
    signal: AbortSignal,
    resolve: (result: ProbeResult) => void,
  ) {
    this.#at = at;
    this.#script = script;
    this.#times = times;
    this.#signal = signal;
    this.#resolve = resolve;
  }

  begin(): void {
    if (this.#signal.aborted) {
      this.#timedOut();
      return;
    }
    this.#signal.addEventListener('abort', this.#timedOut, { once: true });
    const { host, port, tls, head } = this.#at;
    this.#timer(this.#times?.connect);
    const socket = openConnection({ host, port }, tls, head);
    this.#socket = socket;
    socket.once('connect', () => {
      this.#reached = 'tcp';
      this.#timer(this.#times?.answer);
      if (!tls) this.#opened();
    });
    if (tls) socket.once('secureConnect', () => this.#opened());
    // Kept to the end: an error after the verdict must not be an uncaught one.
    socket.on('error', (error) => this.#failed(error));
  }

  #opened(): void {
    const socket = this.#socket;
    if (this.#over || !socket) return;
    this.#reached = 'open';
    if (!this.#script) {
      this.#found({ good: true, code: this.#at.tls ? 'L6OK' : 'L4OK', info: '' });
      return;
    }
    const talk = this.#script();
    this.#talk = talk;
    socket.on('data', (bytes: Buffer) => {
      const all = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
      this.#received = all.subarray(0, MOST_BYTES);
      this.#hear(false);
    });
    socket.once('end', () => this.#hear(true));
    if (talk.opening) socket.write(talk.opening);
    // Some have nothing to wait for.
    this.#hear(false);
  }

  #hear(ended: boolean): void {
    while (!this.#over) {
      const full = this.#received.length >= MOST_BYTES;
      const heard = this.#talk?.hear(this.#received, ended || full);
      if (heard && 'say' in heard) {
        this.#received = this.#received.subarray(heard.taken);
        if (heard.say.length > 0) this.#socket?.write(heard.say);
        continue;
      }
      if (heard) this.#found(heard);
      else if (ended) this.#found({ good: false, code: 'L7RSP', info: 'Connection closed' });
      else if (full) this.#found({ good: false, code: 'L7RSP', info: 'The answer is too long' });
      return;
    }
  }

  readonly #timedOut = (): void => {
    const code = this.#reached === 'nothing' ? 'L4TOUT' : this.#reached === 'tcp' ? 'L6TOUT' : 'L7TOUT';
    this.#found({ good: false, code, info: '' });
  };

  #failed(error: Error): void {
    const { errno }: NodeJS.ErrnoException = error;
    const code =
      this.#reached === 'nothing'
        ? 'L4CON'
        : this.#reached === 'tcp'
          ? 'L6RSP'
          : errno === undefined
            ? 'L7RSP'
            : 'SOCKERR';
    this.#found({ good: false, code, info: capitalWords(error) });
  }

  #timer(ms: number | undefined): void {
    this.#cancelTimer();
    if (ms !== undefined && this.#times) this.#cancelTimer = this.#times.clock.after(ms, this.#timedOut);
  }

  #found({ good, code, info, status, notFound }: Finding): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer();
    this.#signal.removeEventListener('abort', this.#timedOut);
    if (this.#at.tls) this.#socket?.destroy();
    else this.#socket?.resetAndDestroy();
    this.#resolve({
      status: good ? 'passing' : 'critical',
      output: info,
      code,
      httpStatus: status,
      ...(notFound ? { notFound } : {}),
    });
  }
}
