import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { BindAddress, ExpectProxy, FrontendBind } from '../../config/runtime/binds.ts';
import type { FrontendConfig } from '../../config/runtime/frontends.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { proxyExpected, readProxyHead } from '../tcp/expect-proxy.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import type { BindProblem, Listening } from './messages.ts';
import { TlsDoor } from './tls-door.ts';

/**
 * Opens one address that is to be listened on; rejects with BIND_FAILED.
 * @param key of {@link doorKey}
 * @param options `beside`: see {@link takesOver}
 */
export type OpenListener = (bind: BindAddress, key: string, options: ListenerOptions) => Promise<Listener>;

/** How the connections of one door go on. */
export interface DoorWay {
  readonly tls: TlsDoor | undefined;
  readonly proto: FrontendBind['proto'];
}

/** Takes the connections of frontends. */
export interface DoorHost {
  readonly clock: Clock;
  /** Counts a connection that has come; false: there are too many, and it has been ended. */
  admitted(frontend: string, socket: Socket): boolean;
  /**
   * Takes one that was admitted, after the head of the PROXY protocol where there is to be one.
   * @param by `tls` encrypts the connection, and then gives it to `secured`; without it, it stays as it is
   */
  accepted(frontend: string, socket: Socket, by: DoorWay): void;
  /** A proxy did not say whose connection it brings; it has been ended. */
  headFailed(frontend: string, error: Error): void;
  secured(frontend: string, socket: TLSSocket): void;
  /** The client and Vane could not agree; the connection has been ended. */
  handshakeFailed(frontend: string, error: Error): void;
}

/** Either everything is open and waits to be taken or discarded, or nothing has changed. */
export type Opened =
  | { readonly ok: true; readonly take: () => void; readonly discard: () => void }
  | { readonly ok: false; readonly problems: readonly BindProblem[] };

interface Door {
  readonly listener: Listener;
  readonly frontend: string;
  readonly tls: EncryptedDoor | undefined;
  readonly expectProxy: ExpectProxy | undefined;
  readonly proto: FrontendBind['proto'];
}

/** A TLS door, and what it was made of. */
interface EncryptedDoor {
  readonly door: TlsDoor;
  readonly made: unknown;
}

/** The listening addresses of a plane. Those that stay over a reload keep their socket, whichever frontend they serve. */
export class Doors {
  readonly #log: Log;
  readonly #host: DoorHost;
  readonly #openListener: OpenListener;
  /** Connections whose head of the PROXY protocol has not come yet. */
  readonly #headless = new Set<Socket>();
  #doors: ReadonlyMap<string, Door> = new Map();
  /** Those that a reload took away, while they accept what waits at them. */
  readonly #finishing = new Set<Listener>();
  #ticketKey: Uint8Array | undefined;

  constructor(
    log: Log,
    host: DoorHost,
    open: OpenListener = (bind, _key, options) => Listener.open(bind, options),
  ) {
    this.#log = log;
    this.#host = host;
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
    const kept = doorKeys(frontends);
    for (const config of frontends) {
      const { name: frontend } = config;
      for (const [i, bind] of config.bind.entries()) {
        const key = doorKey(bind, frontend, i);
        const known = this.#doors.get(key);
        const open = known?.listener;
        try {
          const tls = this.#encrypted(config, bind, known?.tls);
          const listener = open ?? (await this.#listen({ host: bind.host, port: bind.port }, key, kept));
          if (!open) fresh.push(listener);
          const { expectProxy, proto } = bind;
          next.set(key, { listener, frontend, tls, expectProxy, proto });
        } catch (error) {
          const { host, port } = bind;
          problems.push({ frontend, bind: { host, port }, message: messageOf(error) });
        }
      }
    }
    const discard = () => {
      for (const listener of fresh) listener.close();
    };
    if (problems.length === 0) return { ok: true, take: () => this.#take(next), discard };
    discard();
    return { ok: false, problems };
  }

  /** What TLS sessions are resumed with, at all addresses and over reloads. */
  setTicketKey(key: Uint8Array): void {
    this.#ticketKey = key;
    for (const { tls } of this.#doors.values()) tls?.door.setTicketKey(key);
  }

  /** Accepts what waits at them, and then nothing more. */
  async finish(): Promise<void> {
    await Promise.all([...this.#doors.values()].map(({ listener }) => listener.finish(this.#host.clock)));
    this.close();
  }

  /** Accepts nothing more. */
  close(): void {
    for (const { listener } of this.#doors.values()) listener.close();
    for (const listener of this.#finishing) listener.close();
    for (const socket of [...this.#headless]) socket.destroy();
    this.#doors = new Map();
  }

  #take(next: ReadonlyMap<string, Door>): void {
    const ports = new Set([...next.values()].map(({ listener }) => listener.port));
    for (const [key, { listener }] of this.#doors) {
      if (next.has(key)) continue;
      // Where nothing takes over, nothing is promised to what still waits.
      if (ports.has(listener.port)) this.#finish(listener);
      else listener.close();
    }
    for (const door of next.values()) {
      const isExpected = proxyExpected(door.expectProxy);
      door.listener.serve((socket) => this.#accept(door, socket, isExpected(socket)));
    }
    this.#doors = next;
  }

  /** Whoever takes over from it takes no connection that has come to it already. */
  #finish(listener: Listener): void {
    this.#finishing.add(listener);
    void listener.finish(this.#host.clock).then(() => this.#finishing.delete(listener));
  }

  #accept({ frontend, tls, proto }: Door, socket: Socket, withHead: boolean): void {
    if (!this.#host.admitted(frontend, socket)) return;
    const taken = () => this.#host.accepted(frontend, socket, { tls: tls?.door, proto });
    if (!withHead) {
      taken();
      return;
    }
    const over = (next: () => void) => {
      this.#headless.delete(socket);
      next();
    };
    this.#headless.add(socket);
    readProxyHead(socket, this.#host.clock, {
      taken: () => over(taken),
      failed: (error) => over(() => this.#host.headFailed(frontend, error)),
    });
  }

  /** The former one where nothing about it is new: it knows its clients' sessions. Throws for unusable certificates. */
  #encrypted(
    { name, timeout }: FrontendConfig,
    { tls }: FrontendBind,
    former: EncryptedDoor | undefined,
  ): EncryptedDoor | undefined {
    if (!tls) return undefined;
    const made = { name, tls, timeout: timeout.httpRequest };
    if (former && isDeepStrictEqual(former.made, made)) return former;
    const door = new TlsDoor({
      tls,
      timeout: timeout.httpRequest,
      admit: (socket) => this.#host.secured(name, socket),
      failed: (error) => this.#host.handshakeFailed(name, error),
    });
    if (this.#ticketKey) door.setTicketKey(this.#ticketKey);
    return { door, made };
  }

  #listen(bind: BindAddress, key: string, kept: ReadonlySet<string>): Promise<Listener> {
    return this.#openListener(bind, key, {
      beside: takesOver(bind, this.#listeners, kept),
      onError: (error) => {
        const where = `${bind.host}:${bind.port}`;
        this.#log.error({ bind: where, error: messageOf(error) }, 'cannot accept connections');
      },
    });
  }

  get #listeners(): ReadonlyMap<string, Listener> {
    return new Map([...this.#doors].map(([key, { listener }]) => [key, listener]));
  }
}

/**
 * What makes an address of one configuration the same as one of another. Port 0 asks for a port of its own each time
 * it is written.
 */
export function doorKey({ host, port }: BindAddress, frontend: string, index: number): string {
  return port === 0 ? `${host}:0 ${frontend} ${index}` : `${host}:${port}`;
}

/** The keys of all addresses of a configuration. */
export function doorKeys(frontends: readonly Pick<FrontendConfig, 'name' | 'bind'>[]): ReadonlySet<string> {
  return new Set(frontends.flatMap(({ name, bind }) => bind.map((one, i) => doorKey(one, name, i))));
}

/**
 * Whether an address is to be opened beside one that is open on the same port and not kept: such as `127.0.0.1:80` when
 * `0.0.0.0:80` goes, or the other way round.
 * @param open by their keys
 * @param kept keys of those that stay
 */
export function takesOver(
  { port }: BindAddress,
  open: ReadonlyMap<string, { readonly port: number }>,
  kept: ReadonlySet<string>,
): boolean {
  return port !== 0 && [...open].some(([key, other]) => other.port === port && !kept.has(key));
}
