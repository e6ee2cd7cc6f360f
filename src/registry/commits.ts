import { VaneError } from '../core/errors.ts';
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

/** Hands commits to the store, and refuses what the registry has no room for, with those under way counted. */
export class Commits {
  readonly #options: CommitsOptions;
  /** What commits will add that the catalog does not have yet. */
  readonly #underWay = new Map<readonly Change[], Growth>();
  #rows = 0;
  #kvBytes = 0;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** Resolves to the commit's index, `least` or more. Rejects with REGISTRY_INVALID where there is no room, else as the store does. */
  async commit(changes: readonly Change[], growth: Growth, cause: Cause, least = 0): Promise<number> {
    this.#requireRoom(growth);
    const rows = Math.max(0, growth.rows);
    const kvBytes = Math.max(0, growth.kvBytes);
    this.#underWay.set(changes, { rows, kvBytes });
    this.#rows += rows;
    this.#kvBytes += kvBytes;
    try {
      return await this.#options.storing.after(this.#options.store.commit(changes, cause, least));
    } finally {
      this.arrived(changes);
    }
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
