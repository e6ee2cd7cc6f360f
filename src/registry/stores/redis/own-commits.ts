import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import { VaneError } from '../../../core/errors.ts';
import type { Cause, Change, Committed } from '../../model.ts';
import type { StoreHost } from '../../store.ts';
import { ownNodeRow } from './alone.ts';
import type { CommitBody } from './commit-text.ts';
import type { CommitLog, LogEntry } from './log.ts';
import type { Outage } from './outage.ts';
import { isAbout, type Outbox, type Unsent } from './outbox.ts';
import { type Outcome, type Pending, PendingCommits } from './pending-commits.ts';
import { type Acknowledged, RecentCommits } from './recent-commits.ts';

/** Puts a commit into the registry of an epoch; resolves to undefined where it has appended nothing. */
export type Append = (epoch: string, uid: string) => Promise<number | undefined>;

export interface OwnCommitsOptions {
  readonly log: CommitLog;
  readonly outbox: Outbox;
  readonly outage: Outage;
  readonly clock: Clock;
  /** Undefined: no registry is followed yet. */
  readonly epoch: () => string | undefined;
  readonly host: () => StoreHost | undefined;
  /** Redis does not do what it is asked to. */
  readonly onFailure: (thrown: unknown) => void;
  /** Has a commit take effect in this process alone; returns its provisional index. */
  readonly onEffect: (commit: Omit<Committed, 'index'>) => number;
}

/**
 * The commits of this node: on their way to the log and back, kept here while Redis is away, and remembered for a while,
 * so that a Redis that loses them gets them back.
 */
export class OwnCommits {
  readonly #options: OwnCommitsOptions;
  readonly #pending = new PendingCommits();
  readonly #recent = new RecentCommits();
  #refuses = false;

  constructor(options: OwnCommitsOptions) {
    this.#options = options;
  }

  /** Nobody knows of some whether they are in the log: it has to be read once more for them. */
  get someUnknown(): boolean {
    return this.#pending.someUnknown;
  }

  /** Those that Redis has been asked to append, with an answer or without one. */
  get sent(): ReadonlySet<Pending> {
    return this.#pending.sent();
  }

  /** Whether all of it is about this node's services and checks. */
  isOwn(changes: readonly Change[]): boolean {
    const host = this.#options.host();
    return host !== undefined && isAbout(host.self, changes);
  }

  async store(body: CommitBody, least: number): Promise<number> {
    const { log } = this.#options;
    return Number(await this.send(body, (epoch, uid) => log.append(epoch, uid, body, least)));
  }

  /** Resolves to undefined where `append` has appended nothing. It is over when the log has it in its turn. */
  send({ changes, cause, expects }: CommitBody, append: Append): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#options.epoch() === undefined || this.#refuses) {
        return reject(new VaneError('STORE_FAILED', 'the registry store is not open'));
      }
      if (this.#pending.isFull) {
        return reject(new VaneError('STORE_FAILED', 'too many changes of the registry are waiting'));
      }
      const uid = randomUUID();
      const pending: Pending = { uid, changes, cause, expects, resolve, reject, sent: 'not yet' };
      this.#pending.add(pending);
      this.#dispatch(pending, append);
    });
  }

  /** Takes effect here at once, and for all others when Redis is back. */
  async commitHere(changes: readonly Change[], cause: Cause): Promise<number> {
    const unsent = { uid: randomUUID(), changes, cause };
    if (this.#options.outbox.add(unsent)) return this.#takeEffect(unsent);
    throw new VaneError('STORE_FAILED', 'Redis is away, and too much has been registered here since');
  }

  /** The log has a commit, whosever. Returns it if this node waits for it; `tell` says that it has been taken in. */
  arrived({
    uid,
    index,
    expects,
  }: LogEntry): { readonly changes: readonly Change[]; tell(): void } | undefined {
    const pending = this.#pending.take(uid);
    if (!pending) return undefined;
    if (this.#options.host()?.isAsExpected(expects)) this.#remember(pending, index);
    return { changes: pending.changes, tell: () => pending.resolve(index) };
  }

  /**
   * All of the log has been read. What is this node's own and has been lost before anybody was told, or has come to
   * nothing, is sent again.
   */
  settle(
    sent: ReadonlySet<Pending>,
    outcomeOf: (uid: string) => Outcome | undefined = () => undefined,
  ): void {
    const made = this.#pending.settle(sent, outcomeOf, (pending) => {
      const { changes, cause, expects } = pending;
      if (expects.length > 0 || !this.isOwn(changes)) return false;
      const body = { changes, cause, expects };
      this.#dispatch(pending, (epoch, uid) => this.#options.log.append(epoch, uid, body, 0));
      return true;
    });
    for (const { pending, index } of made) this.#remember(pending, index);
  }

  /** What took effect here alone goes to all others. */
  async sendLate(epoch: string): Promise<void> {
    const { log, outbox } = this.#options;
    for (const unsent of outbox.all()) {
      const body = { changes: unsent.changes, cause: unsent.cause, expects: [] };
      const index = await log.append(epoch, unsent.uid, body, 0);
      this.#remember({ uid: unsent.uid, ...body }, index);
      outbox.sent(unsent);
    }
  }

  /** Those of late, which a log may have lost. */
  get recent(): RecentCommits {
    return this.#recent;
  }

  /** Takes no more; what is on its way goes on. */
  refuse(): void {
    this.#refuses = true;
  }

  /** Resolves once none is on its way. */
  empty(): Promise<void> {
    return this.#pending.empty();
  }

  close(): void {
    this.#pending.rejectAll(unknownOutcome());
  }

  #dispatch(pending: Pending, append: Append): void {
    pending.sent = 'not yet';
    append(this.#options.epoch() ?? '', pending.uid).then(
      (index) => {
        if (index !== undefined) pending.sent = index;
        else this.#pending.take(pending.uid)?.resolve(undefined);
      },
      (thrown: unknown) => {
        pending.sent = 'unknown';
        this.#options.onFailure(thrown);
        this.#giveUp(pending);
      },
    );
  }

  /** What is this node's own takes effect all the same; whether all else is stored will be known when Redis is back. */
  #giveUp(pending: Pending): void {
    const { outage, outbox } = this.#options;
    const { uid, changes, cause, expects, resolve, reject } = pending;
    if (!outage.trouble || expects.length > 0 || !this.isOwn(changes)) return;
    if (!this.#pending.take(uid)) return;
    const unsent = { uid, changes, cause };
    if (outbox.add(unsent)) this.#takeEffect(unsent).then(resolve, reject);
    else reject(unknownOutcome());
  }

  async #takeEffect(unsent: Unsent): Promise<number> {
    const { onEffect, outbox, host } = this.#options;
    const index = onEffect({ changes: unsent.changes, cause: unsent.cause });
    await outbox.stored(unsent, () => ownNodeRow(host()));
    return index;
  }

  /** So that it can be put back where Redis loses it. */
  #remember({ uid, changes, cause, expects }: Omit<Acknowledged, 'index'>, index: number): void {
    this.#recent.add({ uid, index, changes, cause, expects }, this.#options.clock.now());
  }
}

function unknownOutcome(): VaneError {
  return new VaneError('STORE_FAILED', 'the registry stops: it is not known whether this was stored');
}
