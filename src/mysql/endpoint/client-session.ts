import type { Socket } from 'node:net';
import { asVaneError, type VaneError } from '../../core/errors.ts';
import { clientAddress } from '../../proxy/tcp/client-address.ts';
import { watchClient } from '../../proxy/tcp/client-watch.ts';
import { partWith } from '../parting.ts';
import {
  ER_HANDSHAKE_ERROR,
  ER_HOST_IS_BLOCKED,
  errorPacket,
  noServerPacket,
  tooManyPacket,
} from '../protocol/error-packet.ts';
import { SessionFollower } from '../protocol/session-phase.ts';
import { awaitLogin } from './await-login.ts';
import { type OpenServer, openServer } from './open-server.ts';
import type { Server, Side, Site } from './site.ts';
import { Splice } from './splice.ts';

/** After a server that did not work, another attempt follows no sooner, ms; then twice as long each time. */
const RETRY_MS = 100;
const LONGEST_RETRY_MS = 1_000;
/** How long a client may take its refusal, ms. */
const REFUSAL_MS = 2_000;

type Opened = { readonly server: Server; readonly open: OpenServer };

/**
 * One client, from its coming to its end: held while there is nobody to lead it to, led to a server, and passed
 * through from then on; the login, and TLS where there is any, is between the two of them.
 */
export class ClientSession {
  readonly side: Side;
  readonly #site: Site;
  readonly #client: Socket;
  /** Whom it is led to, or about to be. */
  #server: Server | undefined;
  #splice: Splice | undefined;
  /** Ends what is under way before the login. */
  #abort = new AbortController();
  #stopped: VaneError | undefined;

  constructor(site: Site, client: Socket, side: Side) {
    this.#site = site;
    this.#client = client;
    this.side = side;
  }

  /** Id of the server it is led to; undefined while it is held. */
  get server(): string | undefined {
    return this.#server?.id;
  }

  /** Ends it because its server is not to be used any more: at once, or when that does no harm. */
  leave(why: VaneError, how: 'now' | 'when-idle'): void {
    if (!this.#splice) this.#abort.abort(why);
    else if (how === 'now') this.#splice.end(why.message);
    else this.#splice.endWhenIdle(why.message);
  }

  /** Ends it as soon as that does no harm; at once where it has not begun. */
  drain(why: VaneError): void {
    if (this.#splice) this.leave(why, 'when-idle');
    else this.stop(why);
  }

  /** Ends it whatever it is doing. */
  stop(why: VaneError): void {
    this.#stopped = why;
    this.leave(why, 'now');
  }

  /** Never rejects, and takes the client's socket along. */
  async run(): Promise<void> {
    try {
      const opened = await this.#findServer();
      if (opened) await this.#serve(opened);
    } finally {
      this.#client.on('error', () => {});
      if (!this.#client.writableEnded) this.#client.destroy();
    }
  }

  /** Undefined: the client has been told, or has gone. */
  async #findServer(): Promise<Opened | undefined> {
    const { clock, times, gate, totals } = this.#site;
    const deadline = clock.now() + times.hold;
    const tried = new Set<string>();
    let waits = 0;
    let trouble = 'no server can be used at the moment';
    let gone: VaneError | undefined;
    const unwatch = watchClient(this.#client, (reason) => {
      gone ??= reason;
      this.#abort.abort(reason);
    });
    try {
      for (;;) {
        if (gone ?? this.#stopped) break;
        this.#abort = new AbortController();
        const server = this.#site.route(this.side, tried);
        this.#server = server;
        const result = server && (await this.#open(server));
        if (result && 'open' in result) {
          if (waits > 0) totals.held.served++;
          return result;
        }
        if (result) trouble = result.error.message;
        if (server) tried.add(server.id);
        this.#server = undefined;
        if (gone ?? this.#stopped) break;
        this.#abort = new AbortController();
        // Of slaves that can be used again nobody tells.
        const retries = server !== undefined || this.side === 'ro';
        const retryAfter = retries ? Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** waits) : undefined;
        waits++;
        const held = await gate.wait(deadline, retryAfter, this.#abort.signal).catch(() => undefined);
        if (held === 'full') {
          totals.held.full++;
          this.#refuse(tooManyPacket('vane: too many connections wait for a server'));
          return undefined;
        }
        if (held === 'late') {
          totals.held.late++;
          this.#refuse(noServerPacket(`vane: ${trouble}`));
          return undefined;
        }
      }
      if (waits > 0) totals.held.left++;
      if (!gone) this.#refuse(noServerPacket(`vane: ${this.#stopped?.message}`));
      return undefined;
    } finally {
      unwatch();
    }
  }

  async #open(server: Server): Promise<Opened | { readonly error: VaneError }> {
    const { clock, times } = this.#site;
    const { signal } = this.#abort;
    try {
      const client = clientAddress(this.#client);
      const open = await openServer(server, { timeout: times.connect, clock, signal, client });
      if (!signal.aborted) return { server, open };
      partWith(open.socket, clock);
      return { error: asVaneError(signal.reason) };
    } catch (thrown) {
      const error = asVaneError(thrown);
      if (!signal.aborted) this.#site.suspect(server.id);
      return { error };
    }
  }

  async #serve({ server, open: { socket, said, word } }: Opened): Promise<void> {
    const { clock, totals } = this.#site;
    // That of the attempt which has succeeded: what it was told since counts.
    const { signal } = this.#abort;
    if ('code' in word) {
      // It lives, and takes nobody: that is the client's to hear.
      if (word.code === ER_HOST_IS_BLOCKED) this.#site.suspect(server.id, true);
      this.#refuse(said);
      partWith(socket, clock);
      return;
    }
    let first: Awaited<ReturnType<typeof awaitLogin>>;
    try {
      signal.throwIfAborted();
      this.#client.write(said);
      first = await awaitLogin(this.#client, socket, { clock, signal });
      signal.throwIfAborted();
    } catch (thrown) {
      const { code, source } = asVaneError(thrown);
      partWith(socket, clock);
      if (code === 'REQUEST_INVALID') {
        this.#refuse(errorPacket(2, { code: ER_HANDSHAKE_ERROR, state: '08S01', message: 'Bad handshake' }));
      }
      if (code === 'UPSTREAM_CLOSED') this.#site.suspect(server.id);
      if (source === 'client') totals.abortedLogins++;
      return;
    }
    const { login, bytes } = first;
    const follower = new SessionFollower(login.capabilities & word.capabilities, login.encrypted);
    const splice = new Splice({
      client: this.#client,
      server: socket,
      follower,
      clock,
      name: server.id,
      onHeard: () => this.#site.heard(server.id),
    });
    this.#splice = splice;
    // As the server sees it: gone from the socket as soon as that is closed.
    const port = (server.sendProxy ? clientAddress(this.#client).port : socket.localPort) ?? 0;
    follower.fromClient(bytes);
    socket.write(bytes);
    const end = await splice.ended;
    if (splice.ending) totals.ended[splice.ending]++;
    if (splice.ending === 'closed' && (splice.endedIn === 'busy' || splice.endedIn === 'opaque'))
      totals.unknown++;
    // One that waits for nothing, and is in no transaction, ends at the server without anyone's help.
    if (end === 'ended' && splice.endedIn !== 'idle') {
      this.#site.orphans.note(server.id, { threadId: word.threadId, port });
    }
    if (end === 'server') this.#site.suspect(server.id);
  }

  #refuse(words: Buffer): void {
    const client = this.#client;
    client.on('error', () => {});
    const cancel = this.#site.clock.after(REFUSAL_MS, () => client.destroy());
    client.once('close', cancel);
    client.once('end', () => client.destroy());
    client.resume();
    client.end(words);
  }
}
