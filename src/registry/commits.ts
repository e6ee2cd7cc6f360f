import { VaneError } from '../core/errors.ts';
import type { Expectation } from './expectations.ts';
import type { Cause, Change } from './model.ts';
import type { CatalogReader } from './reader.ts';
import type { RegistryStore } from './store.ts';
import type { Storing } from './storing.ts';

export interface CommitsOptions {
  readonly catalog: CatalogReader & { readonly size: number };
  readonly store: RegistryStore;
  readonly storing: Storing;
  /** Rows of all kinds. */
  readonly maxRows: number;
  /** Bytes of all keys and values of the key/value store together. */
  readonly maxKvBytes: number;
}

/** What a commit adds to what there is; less than nothing where it takes away. */
export interface Growth {
  readonly rows: number;
  readonly kvBytes: number;
}

export interface CommitTerms {
  /** The index is this or more. */
  readonly least?: number;
  readonly expects?: readonly Expectation[];
  /** It is well if nothing changes, because all is so already. */
  readonly mayBeVain?: boolean;
}

/** Another process's commit got in before: the command is to be planned again. */
export class Overtaken extends Error {}

/** Hands commits to the store, and refuses what the registry has no room for, with those under way counted. */
export class Commits {
  readonly #options: CommitsOptions;
  /** What commits will add that the catalog does not have yet. */
  readonly #underWay = new Map<readonly Change[], Growth>();
  /** Own commits that have come to nothing, until whoever asked for them is told. */
  readonly #vain = new WeakSet<readonly Change[]>();
  #rows = 0;
  #kvBytes = 0;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /**
   * Resolves to the commit's index. Rejects with REGISTRY_INVALID where there is no room, with {@link Overtaken} when
   * another process got in before, else as the store does.
   */
  async commit(
    changes: readonly Change[],
    growth: Growth,
    cause: Cause,
    { least = 0, expects = [], mayBeVain = false }: CommitTerms = {},
  ): Promise<number> {
    this.#requireRoom(growth);
    const rows = Math.max(0, growth.rows);
    const kvBytes = Math.max(0, growth.kvBytes);
    this.#underWay.set(changes, { rows, kvBytes });
    this.#rows += rows;
    this.#kvBytes += kvBytes;
    try {
      const { store, storing } = this.#options;
      const index = await storing.after(store.commit(changes, cause, least, expects));
      if (this.#vain.delete(changes) && !mayBeVain) throw new Overtaken();
      return index;
    } finally {
      this.arrived(changes);
      this.#vain.delete(changes);
    }
  }

  /** To be told after {@link arrived} when a commit has changed nothing: something was not as it was expected. */
  cameToNothing(changes: readonly Change[]): void {
    // Where nobody else commits, what changes nothing was meant so.
    if (this.#options.store.shared) this.#vain.add(changes);
  }

  /** The catalog takes these in now, and counts them itself. */
  arrived(changes: readonly Change[]): void {
    const growth = this.#underWay.get(changes);
    if (!growth) return;
    this.#underWay.delete(changes);
    this.#rows -= growth.rows;
    this.#kvBytes -= growth.kvBytes;
  }

  #requireRoom({ rows, kvBytes }: Growth): void {
    const { catalog, maxRows, maxKvBytes } = this.#options;
    if (rows > 0 && catalog.size + this.#rows + rows > maxRows) {
      throw new VaneError('REGISTRY_INVALID', `The registry is full: it holds at most ${maxRows} rows`);
    }
    if (kvBytes > 0 && catalog.kv.bytes + this.#kvBytes + kvBytes > maxKvBytes) {
      const most = `keys and values take at most ${maxKvBytes} bytes`;
      throw new VaneError('REGISTRY_INVALID', `The key/value store is full: ${most}`);
    }
  }
}
