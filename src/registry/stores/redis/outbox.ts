import { fold } from '../../fold.ts';
import type { Cause, Change } from '../../model.ts';
import type { OutboxJournal } from './outbox-journal.ts';

/** A commit that took effect here alone, until everybody has it. */
export interface Unsent {
  readonly uid: string;
  readonly changes: readonly Change[];
  readonly cause: Cause;
}

/** Registering again and again while Redis is away must not fill the memory. */
const MOST_UNSENT = 20_000;

/**
 * What has been changed on this node while Redis was away, in order. Of a check that is only reported again, the last
 * report is kept.
 */
export class Outbox {
  readonly #unsent = new Map<string, Unsent>();
  readonly #journal: OutboxJournal | undefined;

  /** @param journal keeps it on disk; undefined: it is lost with this process */
  constructor(journal: OutboxJournal | undefined) {
    this.#journal = journal;
  }

  get size(): number {
    return this.#unsent.size;
  }

  /** False where there is no room. */
  add(unsent: Unsent): boolean {
    const key = reportKey(unsent.changes) ?? unsent.uid;
    if (!this.#unsent.has(key) && this.#unsent.size >= MOST_UNSENT) return false;
    // At its end, so that it still comes after whatever it was reported after.
    this.#unsent.delete(key);
    this.#unsent.set(key, unsent);
    return true;
  }

  /** Takes in what an earlier process has left. */
  restore(): void {
    for (const unsent of this.#journal?.read() ?? []) this.#unsent.set(unsent.uid, unsent);
  }

  /**
   * Resolves once it would outlast this process. What a check has found need not: it runs again.
   * @param own the row of this node, without which nothing can be put on it
   */
  async stored(unsent: Unsent, own: () => readonly Change[]): Promise<void> {
    if (!this.#journal || reportKey(unsent.changes) !== undefined) return;
    if (this.#journal.isEmpty) {
      void this.#journal.append({ uid: `${unsent.uid} node`, changes: own(), cause: unsent.cause });
    }
    await this.#journal.append(unsent);
  }

  close(): Promise<void> {
    return this.#journal?.close() ?? Promise.resolve();
  }

  all(): readonly Unsent[] {
    return [...this.#unsent.values()];
  }

  /** It has been sent as it is here. */
  sent({ uid }: Unsent): void {
    for (const [key, unsent] of this.#unsent) {
      if (unsent.uid === uid) this.#unsent.delete(key);
    }
    if (this.#unsent.size === 0) this.#journal?.clear();
  }
}

/** Reports of one check, in whatever state: nobody has seen those before the last. */
function reportKey(changes: readonly Change[]): string | undefined {
  const [change, ...others] = changes;
  if (change?.op !== 'put-check' || change.update !== true || others.length > 0) return undefined;
  return `report ${fold(change.check.node)} ${fold(change.check.id)}`;
}

/** Whether a commit is about one node's own services and checks only. */
export function isAbout(self: string, changes: readonly Change[]): boolean {
  return changes.every((change) => {
    switch (change.op) {
      case 'put-service':
        return fold(change.service.node) === fold(self);
      case 'put-check':
        return fold(change.check.node) === fold(self);
      case 'put-node':
        return fold(change.node.node) === fold(self);
      case 'delete-service':
      case 'delete-check':
        return fold(change.node) === fold(self);
      default:
        return false;
    }
  });
}
