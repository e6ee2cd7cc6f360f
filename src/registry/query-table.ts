import { fold } from './fold.ts';
import type { PreparedQuery, Unindexed } from './model.ts';
import { sameRow } from './same-row.ts';
import { SortedMap } from './sorted-map.ts';

/** `before` undefined: created; `after` undefined: deleted. */
export interface QueryEffect {
  readonly table: 'query';
  readonly before: PreparedQuery | undefined;
  readonly after: PreparedQuery | undefined;
}

/** The prepared queries. Whoever puts one sees to it that no other has its name. */
export class QueryTable {
  readonly #queries = new SortedMap<PreparedQuery>();
  /** Ids by folded name. */
  readonly #named = new Map<string, string>();

  get size(): number {
    return this.#queries.size;
  }

  get(id: string): PreparedQuery | undefined {
    return this.#queries.get(id);
  }

  named(name: string): PreparedQuery | undefined {
    const id = this.#named.get(fold(name));
    return id === undefined ? undefined : this.#queries.get(id);
  }

  /** By id. */
  all(): readonly PreparedQuery[] {
    return this.#queries.values();
  }

  put(query: Unindexed<PreparedQuery>, index: number): QueryEffect[] {
    const before = this.#queries.get(query.id);
    if (before && sameRow(before, query)) return [];
    const after = { ...query, createIndex: before?.createIndex ?? index, modifyIndex: index };
    if (before) this.#unname(before);
    this.restore(after);
    return [{ table: 'query', before, after }];
  }

  delete(id: string): QueryEffect[] {
    const before = this.#queries.delete(id);
    if (!before) return [];
    this.#unname(before);
    return [{ table: 'query', before, after: undefined }];
  }

  deleteBoundTo(session: string): QueryEffect[] {
    const bound = this.all().filter((query) => query.session === session);
    return bound.flatMap(({ id }) => this.delete(id));
  }

  /** A row that keeps the indexes it has. */
  restore(query: PreparedQuery): void {
    this.#queries.set(query.id, query);
    if (query.name !== '') this.#named.set(fold(query.name), query.id);
  }

  clear(): void {
    for (const { id } of this.all()) this.delete(id);
  }

  #unname({ name, id }: PreparedQuery): void {
    if (this.#named.get(fold(name)) === id) this.#named.delete(fold(name));
  }
}
