import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { passOn } from '../../proxy/tcp/pass-on.ts';
import { SocketReader } from '../../proxy/tcp/socket-reader.ts';
import { shutdownPacket } from '../protocol/error-packet.ts';
import type { SessionFollower, SessionPhase } from '../protocol/session-phase.ts';
import type { Ending } from './site.ts';

export interface SpliceOptions {
  readonly client: Socket;
  readonly server: Socket;
  readonly follower: SessionFollower;
  readonly clock: Clock;
  /** Name of the server, for what clients are told. */
  readonly name: string;
  /** Bytes have come from the server. */
  readonly onHeard: () => void;
}

/** Why a spliced session is over. `server`: its side ended or broke first. */
export type SpliceEnd = 'client' | 'server' | 'ended';

/** How long a client may take what is its last, ms. */
const LINGER_MS = 2_000;

/**
 * Passes the bytes of one session both ways and follows what it does, so that it can be ended at the right moment and
 * with the right words. Owns both sockets. What is held of a direction is bounded: while its taker does not take, its
 * sender is not read.
 */
export class Splice {
  readonly #options: SpliceOptions;
  readonly ended: Promise<SpliceEnd>;
  readonly #resolve: (end: SpliceEnd) => void;
  #over = false;
  #leaving: string | undefined;
  ending: Ending | undefined;
  /** What it was doing when it was ended. */
  endedIn: SessionPhase | undefined;

  constructor(options: SpliceOptions) {
    const { promise, resolve } = Promise.withResolvers<SpliceEnd>();
    this.ended = promise;
    this.#resolve = resolve;
    this.#options = options;
    this.#listen();
  }

  /** Ends it as soon as that does no harm: between two transactions. What cannot be followed gets {@link end}. */
  endWhenIdle(why: string): void {
    this.#leaving = why;
    this.#endIfIdle();
  }

  /**
   * Ends it now. A client that waits for nothing is told, by an error that answers its next command; one that waits
   * for an answer is not, for nobody knows whether what it asked for has been done.
   */
  end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.ending = this.#farewell(why);
    this.#cutServer();
    this.#linger();
    this.#resolve('ended');
  }

  #listen(): void {
    const { client, server, follower, onHeard } = this.#options;
    const [fromClient, fromServer] = [SocketReader.of(client), SocketReader.of(server)];
    fromClient.sink = (bytes) => {
      follower.fromClient(bytes);
      if (!passOn(server, bytes)) client.pause();
    };
    fromServer.sink = (bytes) => {
      onHeard();
      follower.fromServer(bytes);
      if (!passOn(client, bytes)) server.pause();
      if (this.#leaving !== undefined) this.#endIfIdle();
    };
    client.on('drain', () => server.resume());
    server.on('drain', () => client.resume());
    // It may still wait for an answer.
    client.on('end', () => server.end());
    server.on('end', () => this.#serverEnded());
    client.on('error', () => this.#clientBroke());
    client.on('close', () => this.#clientBroke());
    server.on('error', () => this.#serverEnded());
    server.on('close', () => this.#serverEnded());
    fromClient.start();
    fromServer.start();
    // Either may have ended before anyone listened.
    if (client.destroyed) this.#clientBroke();
    else if (server.destroyed) this.#serverEnded();
  }

  #endIfIdle(): void {
    if (this.#leaving !== undefined && this.#options.follower.phase === 'idle') this.end(this.#leaving);
  }

  #serverEnded(): void {
    if (this.#over) return;
    this.#over = true;
    const { client, server, follower, name } = this.#options;
    const byClient = follower.phase === 'quit' || client.readableEnded;
    if (!byClient) this.ending = this.#farewell(`${name} has closed this session`);
    server.destroy();
    this.#linger();
    this.#resolve(byClient ? 'client' : 'server');
  }

  #clientBroke(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.client.destroy();
    this.#cutServer();
    this.#resolve('client');
  }

  /** By a reset: a server that read on would finish what nobody waits for, such as a transaction. */
  #cutServer(): void {
    const { server } = this.#options;
    // Resetting a socket that is being shut down would fail (libuv: uv_tcp_close_reset), and Node would leak it.
    if (server.writableEnded) server.destroy();
    else server.resetAndDestroy();
  }

  #farewell(why: string): Ending {
    const { client, follower } = this.#options;
    this.endedIn = follower.phase;
    if (follower.phase !== 'idle' || follower.hasFarewell || client.destroyed) return 'closed';
    client.write(shutdownPacket(`vane: ${why}`));
    return 'told';
  }

  /** Lets the client take what has been written to it. What it says is not passed on any more, and is not executed. */
  #linger(): void {
    const { client, server, clock } = this.#options;
    for (const socket of [client, server]) SocketReader.of(socket).sink = undefined;
    if (client.destroyed) return;
    client.resume();
    const cancel = clock.after(LINGER_MS, () => client.destroy());
    client.once('close', cancel);
    client.once('end', () => client.destroy());
    if (client.readableEnded) client.once('finish', () => client.destroy());
    client.end();
  }
}
