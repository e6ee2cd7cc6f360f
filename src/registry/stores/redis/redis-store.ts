import { randomUUID } from 'node:crypto';
import type { RedisAddress } from '../../../config/runtime/store.ts';
import { type Cancel, type Clock, sleep } from '../../../core/clock.ts';
import { Emitter } from '../../../core/emitter.ts';
import { VaneError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { Coordination } from '../../cluster/coordination.ts';
import type { Expectation } from '../../expectations.ts';
import type { Cause, Change, Committed, PutCheck, StoreSnapshot } from '../../model.ts';
import type { RegistryStore, StoreHost } from '../../store.ts';
import { withoutRedis } from './alone.ts';
import { connectAnew, connectRedis, type RedisClient } from './clients.ts';
import { isTimeout, NOT_CONNECTED } from './failures.ts';
import { storeKeys } from './keys.ts';
import { CommitLog, INDEXES_AHEAD, type LogEntry } from './log.ts';
import { Outage } from './outage.ts';
import { Outbox } from './outbox.ts';
import { OutboxJournal } from './outbox-journal.ts';
import { OwnCommits } from './own-commits.ts';
import type { Pending } from './pending-commits.ts';
import { putBackRows } from './put-back.ts';
import { putBackCommits } from './put-back-commits.ts';
import { RedisCoordination } from './redis-coordination.ts';
import { Replay } from './replay.ts';
import { Restoration } from './restoration.ts';
import { SnapshotWriter } from './snapshot-writer.ts';
import type { ProcessIdentity } from './this-process.ts';

export interface RedisStoreOptions {
  readonly address: RedisAddress;
  /** Of all keys: registries of different prefixes have nothing in common. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random?: () => number;
  /** ms without a sign of life until a node counts as dead. */
  readonly lease: number;
  /** Keeps what could not be sent for a later process; undefined: it is lost with this one. */
  readonly outboxFile?: string | undefined;
  /** What others are to know this process by. Default: what it is. */
  readonly process?: ProcessIdentity;
}

/** For a command to be answered; after that Redis counts as away. */
const COMMAND_MS = 3_000;
/** How long one read waits for a commit to come: it costs a command each time. */
const WAIT_MS = 2_000;
/** After a failure, until the next attempt; doubled each time, up to the second one. */
const SHORTEST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** For Redis to answer when a node starts: then it goes on without, until Redis is there. */
const START_MS = 10_000;

/**
 * A registry that several nodes share through Redis: a log of commits, which each node folds into its own catalog. Redis
 * decides about their order and nothing else.
 *
 * While Redis is away, what a node changes about its own services and checks takes effect there alone and goes to all
 * others afterwards; all else is refused with STORE_FAILED. A Redis that has lost commits gets back those that were
 * acknowledged: the latest ones from the node that they came by, or, if it has lost everything, all rows.
 */
export class RedisStore implements RegistryStore {
  readonly shared = true;
  readonly coordination: Coordination;
  readonly #options: RedisStoreOptions;
  readonly #random: () => number;
  readonly #writer: RedisClient;
  /** Blocked most of the time, waiting for the next commit. */
  readonly #reader: RedisClient;
  readonly #log: CommitLog;
  readonly #committed = new Emitter<Committed>();
  readonly #outbox: Outbox;
  readonly #snapshots: SnapshotWriter;
  readonly #own: OwnCommits;
  readonly #outage: Outage;
  readonly #restoration: Restoration;
  readonly #closing = new AbortController();
  #host: StoreHost | undefined;
  /** The registry that this node follows; undefined: it has found none yet. */
  #epoch: string | undefined;
  /** The last commit taken in from the log. */
  #index = 0;
  #uid = '';
  /** The highest index given out here, provisional ones included. */
  #highest = 1;
  #following: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RedisStoreOptions) {
    const { address, prefix, clock, log, random = Math.random, lease, outboxFile } = options;
    this.#options = options;
    this.#outage = new Outage(options);
    this.#random = random;
    this.#writer = connectRedis(address, 'vane-writer', COMMAND_MS, random);
    this.#reader = connectRedis(address, 'vane-reader', WAIT_MS + COMMAND_MS, random);
    const keys = storeKeys(prefix);
    this.#restoration = new Restoration(this.#writer, keys, clock);
    this.#log = new CommitLog(this.#writer, keys);
    this.#outbox = new Outbox(outboxFile === undefined ? undefined : new OutboxJournal(outboxFile, log));
    this.#snapshots = new SnapshotWriter(this.#log, log);
    this.#own = new OwnCommits({
      ...{ log: this.#log, outbox: this.#outbox, outage: this.#outage, clock },
      epoch: () => this.#epoch,
      host: () => this.#host,
      onFailure: (thrown) => this.#isAway(thrown),
      onEffect: (commit) => this.#takeEffect(commit),
    });
    this.coordination = new RedisCoordination({
      client: this.#writer,
      keys,
      lease,
      process: options.process,
      backlog: () => ({ behindMs: this.#outage.behindMs, unsent: this.#outbox.size }),
      now: () => clock.wall(),
      send: async (changes, cause, append) =>
        (await this.#own.send({ changes, cause, expects: [] }, append)) !== undefined,
    });
    for (const client of [this.#writer, this.#reader]) {
      // Commands that fail tell it as well, each to whoever sent it.
      client.on('error', (error: Error) => log.debug({ error: error.message }, 'redis'));
    }
  }

  get trouble(): VaneError | undefined {
    return this.#outage.trouble;
  }

  get failures(): number {
    return this.#outage.failures;
  }

  attach = (host: StoreHost): void => {
    this.#host = host;
  };

  /** Goes on without Redis when that does not answer in time: what this node registers then reaches it later. */
  async load(): Promise<StoreSnapshot> {
    const { clock, log } = this.#options;
    const deadline = clock.now() + START_MS;
    this.#outbox.restore();
    await Promise.allSettled([this.#writer.connect(), this.#reader.connect()]);
    let snapshot: StoreSnapshot | undefined;
    for (let pause = SHORTEST_PAUSE_MS; !snapshot; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
      try {
        snapshot = await this.#begin();
      } catch (thrown) {
        if (thrown instanceof VaneError && thrown.code === 'STORE_CORRUPT') throw thrown;
        this.#isAway(thrown);
        if (clock.now() >= deadline || this.#closing.signal.aborted) break;
        await sleep(clock, pause, this.#closing.signal);
      }
    }
    if (!snapshot) log.error({}, 'registry starts without what is in Redis: Redis does not answer');
    this.#following = this.#follow();
    if (snapshot) return snapshot;
    const alone = withoutRedis(this.#outbox.all());
    this.#highest = alone.index;
    return alone;
  }

  commit(
    changes: readonly Change[],
    cause: Cause,
    least = 0,
    expects: readonly Expectation[] = [],
  ): Promise<number> {
    const own = expects.length === 0 && this.#own.isOwn(changes);
    if (this.#outage.trouble && own && !this.#isClosed) return this.#own.commitHere(changes, cause);
    if (this.#outage.trouble) return Promise.reject(this.#outage.trouble);
    return this.#own.store({ changes, cause, expects }, least);
  }

  commitReports(reports: readonly PutCheck[], cause: Cause): Promise<number> {
    const updates = reports.map((report): PutCheck => ({ ...report, update: true }));
    if (this.#outage.trouble && !this.#isClosed) return this.#own.commitHere(updates, cause);
    return this.#own.store({ changes: updates, cause, expects: [] }, 0);
  }

  /** It goes on trying by itself. */
  async settle(): Promise<void> {}

  onCommitted(fn: (committed: Committed) => void): Cancel {
    return this.#committed.on(fn);
  }

  /** What is on its way gets there, unless Redis is away. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#own.refuse();
    const late = new AbortController();
    const given = sleep(this.#options.clock, this.#outage.trouble ? 0 : COMMAND_MS, late.signal).catch(
      () => {},
    );
    await Promise.race([this.#own.empty(), given]);
    late.abort();
    this.#closing.abort(new VaneError('STOPPING', 'the registry stops'));
    this.#reader.disconnect();
    await this.#following;
    this.#own.close();
    this.#writer.disconnect();
    await this.#outbox.close();
  }

  /** Takes in all there is; founds the registry where there is none. */
  async #begin(): Promise<StoreSnapshot> {
    const { epoch } = await this.#log.where(0);
    const found = epoch ?? (await this.#log.found(randomUUID(), 1));
    await this.#own.sendLate(found);
    const replay = await Replay.read(this.#log, this.#host?.self ?? '');
    this.#stands(found, replay);
    return replay.rows();
  }

  #stands(epoch: string, { index, uid }: Replay): void {
    this.#epoch = epoch;
    this.#index = index;
    this.#uid = uid;
    this.#highest = Math.max(1, index);
    this.#outage.ended();
  }

  async #follow(): Promise<void> {
    const { clock } = this.#options;
    let pause = SHORTEST_PAUSE_MS;
    let inStep = this.#outage.trouble === undefined;
    while (!this.#closing.signal.aborted) {
      try {
        for (; !inStep; inStep = !this.#own.someUnknown) await this.#catchUp();
        inStep = false;
        for (;;) {
          const entries = await this.#log.next(this.#reader, this.#index, WAIT_MS);
          pause = SHORTEST_PAUSE_MS;
          if (this.#closing.signal.aborted) return;
          // What took effect here alone comes before what is in the log: all of it is to be read anew.
          if (this.#outage.trouble || !entries.every((entry) => this.#take(entry))) break;
          this.#snapshots.maybe(
            this.#epoch,
            () => this.#host && { ...this.#host.snapshot(), index: this.#index },
          );
        }
      } catch (thrown) {
        if (this.#closing.signal.aborted) return;
        inStep = false;
        this.#isAway(thrown);
        if (isTimeout(thrown)) connectAnew(this.#reader, this.#writer);
        const wait = pause * (0.5 + this.#random() / 2);
        pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
        await sleep(clock, wait, this.#closing.signal).catch(() => {});
      }
    }
  }

  /** False when commits are missing before it. */
  #take(entry: LogEntry): boolean {
    const { index, after, uid, changes, cause, expects } = entry;
    if (index <= this.#index) return true;
    if (after !== this.#index) return false;
    this.#index = index;
    this.#uid = uid;
    this.#highest = Math.max(this.#highest, index);
    this.#snapshots.count();
    const own = this.#own.arrived(entry);
    // The writer's own objects: the registry knows its commits by them.
    this.#committed.emit({ index, changes: own?.changes ?? changes, cause, expects });
    own?.tell();
    return true;
  }

  /** What took effect here alone gets an index that nobody else has; all is read anew when Redis is back. */
  #takeEffect(commit: Omit<Committed, 'index'>): number {
    this.#highest += 1;
    this.#committed.emit({ ...commit, index: this.#highest });
    return this.#highest;
  }

  /** After Redis was away, or commits are missing: goes on where it was if nothing has happened that forbids it. */
  async #catchUp(): Promise<void> {
    // Else it would be back for the moment until the next commit is waited for.
    if (this.#reader.status !== 'ready') throw new Error(NOT_CONNECTED);
    const sent = this.#own.sent;
    const { epoch, index, uid } = await this.#log.where(this.#index);
    const isSame = epoch !== undefined && epoch === this.#epoch;
    if (isSame && index >= this.#index && (uid ?? '') === this.#uid) {
      for (;;) {
        const entries = await this.#log.after(this.#index);
        if (this.#outbox.size > 0 || !entries.every((entry) => this.#take(entry))) break;
        if (entries.length > 0) continue;
        this.#outage.ended();
        this.#own.settle(sent);
        return;
      }
    }
    await this.#readAnew(epoch, sent);
  }

  /** Makes the registry in Redis whole again from what is here, and then takes it over as it is there. */
  async #readAnew(found: string | undefined, sent: ReadonlySet<Pending>): Promise<void> {
    const host = this.#host;
    if (!host) throw new VaneError('INTERNAL', 'the store has nobody to tell');
    const { log } = this.#options;
    const isOther = found !== this.#epoch;
    const knew = this.#epoch !== undefined;
    const epoch = found ?? (await this.#log.found(randomUUID(), this.#highest + INDEXES_AHEAD));
    const replay = await Replay.read(this.#log, host.self);
    if (isOther && knew) {
      log.error({}, 'redis has lost the registry: putting back what this node knows');
      this.#own.recent.clear();
      const least = this.#highest + INDEXES_AHEAD;
      await putBackRows({
        ...{ store: this.#log, restoration: this.#restoration, epoch, replay, least },
        ...{ held: host.snapshot(), self: host.self, knownUpTo: this.#index },
        signal: this.#closing.signal,
      });
    } else if (knew) {
      const { recent } = this.#own;
      const missing = recent.missingIn((uid) => replay.outcomeOf(uid) !== undefined, replay.since);
      await putBackCommits(
        { store: this.#log, epoch, replay, log, self: host.self, own: recent.ids() },
        missing,
      );
      recent.relocate((uid) => replay.outcomeOf(uid), replay.since);
    }
    for (;;) {
      await this.#own.sendLate(epoch);
      await replay.goOn();
      // What was changed here meanwhile has to be in there too, before what is here is replaced.
      if (this.#outbox.size === 0) break;
    }
    this.#stands(epoch, replay);
    host.reset(replay.rows());
    this.#own.settle(sent, (uid) => replay.outcomeOf(uid));
  }

  #isAway(thrown: unknown): void {
    if (!this.#closing.signal.aborted) this.#outage.began(thrown);
  }
}
