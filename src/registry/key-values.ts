import type { Backlog } from './backlog.ts';
import type { CommandQueue, Scope } from './command-queue.ts';
import type { Commits, Growth } from './commits.ts';
import { expectKey } from './expectations.ts';
import { type KvWrite, planKvWrite } from './kv-plans.ts';
import { bytesOf } from './kv-table.ts';
import type { LockDelays } from './lock-delays.ts';
import type { Cause, Change } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { kvScope, sessionScope } from './scopes.ts';

export interface KeyValuesOptions {
  readonly catalog: CatalogReader;
  readonly enqueue: CommandQueue['run'];
  readonly commits: Commits;
  readonly delays: LockDelays;
  readonly backlog: Backlog;
}

/** Writes to the key/value store, each decided on what is committed when its turn has come. */
export class KeyValues {
  readonly #options: KeyValuesOptions;

  constructor(options: KeyValuesOptions) {
    this.#options = options;
  }

  /**
   * Resolves to false when the write is refused: the key is not as it was taken to be, another session holds it, or
   * it cannot be locked yet. Rejects with REGISTRY_INVALID (no key, no such session, no room) or STORE_FAILED.
   */
  write(write: KvWrite, cause: Cause): Promise<boolean> {
    return this.#options.backlog.with(write.value.byteLength, () => this.#write(write, cause));
  }

  #write(write: KvWrite, cause: Cause): Promise<boolean> {
    const { catalog, enqueue, commits, delays } = this.#options;
    return enqueue(
      () => writeScope(write),
      async () => {
        if (write.verb === 'lock') {
          await delays.learn([write.key]);
          if (delays.delays(write.key)) return false;
        }
        const changes = planKvWrite(catalog, write);
        if (!changes) return false;
        if (changes.length === 0) return true;
        const expects = write.verb === 'delete-tree' ? [] : [expectKey(catalog, write.key)];
        await commits.commit(changes, growthOf(catalog, changes), cause, { expects });
        return true;
      },
    );
  }
}

/** A subtree has keys that nobody can name beforehand. */
function writeScope({ verb, key, session }: KvWrite): Scope {
  if (verb === 'delete-tree') return 'everything';
  return session === '' ? [kvScope(key)] : [kvScope(key), sessionScope(session)];
}

function growthOf(catalog: CatalogReader, changes: readonly Change[]): Growth {
  let rows = 0;
  let kvBytes = 0;
  for (const change of changes) {
    if (change.op !== 'put-kv') continue;
    const known = catalog.kv.entry(change.entry.key).value;
    if (!known) rows += 1;
    kvBytes += bytesOf(change.entry) - (known ? bytesOf(known) : 0);
  }
  return { rows, kvBytes };
}
