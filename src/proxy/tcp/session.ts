import type { Socket } from 'node:net';
import { sleep } from '../../core/clock.ts';
import { asVaneError, VaneError } from '../../core/errors.ts';
import type { ClientAddress } from '../lanes/lane.ts';
import { countWork } from '../plane/count.ts';
import type { Lease, LeaseOutcome } from '../plane/lease.ts';
import type { LiveBackend } from '../plane/live-backend.ts';
import { sameServerWait } from '../plane/same-server-wait.ts';
import { hashKey } from '../request/hash-key.ts';
import type { Stick } from '../stick/stick.ts';
import { watchClient } from './client-watch.ts';
import { relay } from './relay.ts';
import { tcpEntry } from './tcp-entry.ts';
import { newTcpRecord, type TcpRecord, type TcpSite } from './tcp-record.ts';

type Stop = (reason: VaneError) => void;

/**
 * The life of one connection in `mode tcp`: choice of a server, attempts until one is connected or none may
 * follow, the relay, counters, log. It always ends, and takes the client's socket along.
 */
export class TcpSession {
  readonly #site: TcpSite;
  readonly #client: Socket;
  readonly #record: TcpRecord;
  readonly #startedAt: number;
  readonly #unwatch: () => void;
  readonly #tried = new Set<string>();
  /** Undefined: the backend brings nobody back to any server. */
  #stick: Stick | undefined;
  /** Why it is to end, as soon as anything outside has said so. */
  #stopped: VaneError | undefined;
  /** Ends what is being waited for at the moment. */
  #interrupt: Stop | undefined;
  /** What the last attempt told its server: nobody counts that twice. */
  #told: VaneError | undefined;

  constructor(site: TcpSite, client: Socket, address: ClientAddress) {
    this.#site = site;
    this.#client = client;
    this.#startedAt = site.context.clock.now();
    this.#record = newTcpRecord(address);
    this.#unwatch = watchClient(client, (reason) => this.stop(reason));
  }

  /** Ends it, whatever it is doing. */
  stop(reason: VaneError): void {
    this.#stopped ??= reason;
    this.#interrupt?.(reason);
  }

  /** Rejects only if the log or the counters fail. */
  async run(): Promise<void> {
    try {
      await this.#serve();
    } catch (thrown) {
      this.#record.error = asVaneError(thrown);
    }
    this.#client.destroy();
    try {
      this.#finish();
    } finally {
      this.#record.backend?.tally.sessions.end();
    }
  }

  async #serve(): Promise<void> {
    const { frontend, context, route } = this.#site;
    const name = route({ src: this.#record.client.address, head: undefined });
    const backend = name === undefined ? undefined : context.backend(name);
    if (!backend) {
      throw new VaneError('NO_SERVER', `no backend is meant for this connection to ${frontend.name}`);
    }
    this.#record.backend = backend;
    backend.tally.sessions.begin(context.clock.now());
    backend.budget.request(context.clock.now());
    this.#stick = backend.stickiness?.begin({
      client: this.#record.client.address,
      head: undefined,
      headers: [],
    });
    await this.#attempts(backend);
  }

  /** Tries servers until one is connected and has been served. Throws what keeps it from any. */
  async #attempts(backend: LiveBackend): Promise<void> {
    const record = this.#record;
    let stay: string | undefined;
    for (;;) {
      const lease = await this.#acquire(backend, stay);
      const startedAt = this.#site.context.clock.now();
      this.#tried.add(lease.server.id);
      let server: Socket;
      try {
        server = await this.#connect(backend, lease);
        // Said while the connection was on its way here.
        const stopped = this.#stopped ?? lease.cancelled;
        if (stopped) {
          server.destroy();
          throw stopped;
        }
      } catch (thrown) {
        const error = asVaneError(thrown);
        const next = this.#next(backend, error);
        this.#giveBack(lease, { startedAt, error, next });
        if (!next) throw error;
        record.retries++;
        record.redispatched ||= next === 'redispatch';
        stay = backend.config.redispatch ? undefined : lease.server.id;
        if (next === 'retry') await this.#pause(backend, error);
        continue;
      }
      this.#stick?.answered(lease.server.id, []);
      // Nothing is waited for between that and the relay: nobody listens to the socket meanwhile.
      return this.#relay(backend, lease, server, startedAt);
    }
  }

  async #acquire(backend: LiveBackend, stay: string | undefined): Promise<Lease> {
    const { clock } = this.#site.context;
    const record = this.#record;
    if (this.#stopped) throw this.#stopped;
    const queuedBefore = record.queuedMs ?? 0;
    const since = clock.now();
    const key = hashKey(backend.config.balance, record.client.address, undefined);
    const got = backend.acquire({ tried: this.#tried, stay, bound: this.#stick?.bound, key });
    let lease: Lease;
    if ('leave' in got) {
      record.phase = 'queue';
      record.queuedBehind = backend.queued - 1;
      try {
        lease = await this.#interruptible(got.leave, () => got.lease);
      } finally {
        record.queuedMs = queuedBefore + clock.now() - since;
      }
    } else {
      lease = got;
      record.queuedMs = queuedBefore;
    }
    record.lease = lease;
    record.phase = 'connect';
    return lease;
  }

  async #connect(backend: LiveBackend, lease: Lease): Promise<Socket> {
    const stopped = this.#stopped ?? lease.cancelled;
    if (stopped) throw stopped;
    const abort = new AbortController();
    const onStop: Stop = (reason) => abort.abort(reason);
    lease.onCancel = onStop;
    const { connect: timeout } = backend.config.timeout;
    const { client } = this.#record;
    return await this.#interruptible(onStop, () => lease.connections.connect(timeout, abort.signal, client));
  }

  async #relay(backend: LiveBackend, lease: Lease, server: Socket, startedAt: number): Promise<void> {
    const { frontend, context } = this.#site;
    const record = this.#record;
    const { clock } = context;
    const connectedAt = clock.now();
    record.phase = 'data';
    lease.answered();
    // All that was not spent in queues: earlier attempts and the pauses between them count too, as in HAProxy.
    record.connectMs = connectedAt - this.#startedAt - (record.queuedMs ?? 0);
    this.#unwatch();
    const idle = backend.config.timeout.tunnel || frontend.config.timeout.tunnel;
    const moving = relay({ client: this.#client, server, clock, idle });
    const close: Stop = (reason) => moving.close(reason);
    lease.onCancel = close;
    const end = await this.#interruptible(close, () => moving.ended);
    record.error = end.error;
    record.bytesToServer = end.bytesToServer;
    record.bytesToClient = end.bytesToClient;
    this.#giveBack(lease, { ...end, startedAt, connectMs: connectedAt - startedAt });
  }

  /** Waits for what `begin` starts; {@link stop} goes to `interrupt` meanwhile. */
  async #interruptible<T>(interrupt: Stop, begin: () => Promise<T>): Promise<T> {
    this.#interrupt = interrupt;
    try {
      return await begin();
    } finally {
      this.#interrupt = undefined;
    }
  }

  #giveBack(
    lease: Lease,
    attempt: {
      readonly startedAt: number;
      readonly error: VaneError | undefined;
      readonly connectMs?: number;
      readonly bytesToServer?: number;
      readonly bytesToClient?: number;
      readonly next?: LeaseOutcome['next'];
    },
  ): void {
    const { startedAt, error, connectMs, bytesToServer = 0, bytesToClient = 0, next } = attempt;
    this.#told = error;
    lease.done({
      error,
      status: undefined,
      reused: connectMs === undefined ? undefined : false,
      queuedMs: lease.queuedMs,
      connectMs,
      responseMs: undefined,
      relayed: connectMs !== undefined,
      totalMs: this.#site.context.clock.now() - startedAt,
      bytesIn: bytesToServer,
      bytesOut: bytesToClient,
      next,
    });
  }

  /** Whether and where another attempt follows one that did not connect: no byte of the client was taken. */
  #next(backend: LiveBackend, error: VaneError): LeaseOutcome['next'] {
    const { retries, redispatch, retryOn } = backend.config;
    if (this.#stopped || !error.retryable || this.#record.retries >= retries) return undefined;
    if (retryOn?.connFailure === false) return undefined;
    const { clock } = this.#site.context;
    if (error.source === 'upstream' && !backend.budget.take(clock.now())) return undefined;
    return redispatch && backend.offersOther(this.#tried) ? 'redispatch' : 'retry';
  }

  /** A server that has just refused a connection gets a moment; one that was removed is not gone back to. */
  async #pause(backend: LiveBackend, error: VaneError): Promise<void> {
    if (error.source !== 'upstream') return;
    const wait = sameServerWait(backend.config.timeout.connect);
    const abort = new AbortController();
    await this.#interruptible(
      (reason) => abort.abort(reason),
      () => sleep(this.#site.context.clock, wait, abort.signal),
    );
  }

  #finish(): void {
    const { frontend, context } = this.#site;
    const { backend, error, bytesToServer: bytesIn, bytesToClient: bytesOut, ...record } = this.#record;
    const totalMs = context.clock.now() - this.#startedAt;
    if (error?.code === 'INTERNAL') {
      context.log.error({ frontend: frontend.name, error: error.stack }, 'session failed within');
    }
    frontend.tally.sessions.bin += bytesIn;
    frontend.tally.sessions.bout += bytesOut;
    if (backend) {
      const { connectMs, queuedMs = 0 } = record;
      // Each attempt that held a place has counted what it met; this one ended while it held none.
      if (error?.code === 'CLIENT_ABORTED' && error !== this.#told) backend.tally.cliAbrt++;
      countWork(backend.tally, {
        status: undefined,
        bytesIn,
        bytesOut,
        queuedMs,
        connectMs,
        responseMs: undefined,
        totalMs,
      });
    }
    const { accessLog } = frontend.config.options;
    if (accessLog !== 'off') context.access(tcpEntry(accessLog, this.#site, this.#record, totalMs));
  }
}
