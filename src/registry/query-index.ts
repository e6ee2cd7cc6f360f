import type { PreparedQuery } from './model.ts';
import type { QueryTable } from './query-table.ts';
import type { AtIndex, QueryReader } from './reader.ts';

/** Prepared queries as they are asked for; all questions share one index and one topic. */
export class QueryIndex implements QueryReader {
  readonly #table: QueryTable;
  #index = 1;

  constructor(table: QueryTable) {
    this.#table = table;
  }

  get index(): number {
    return this.#index;
  }

  all(): AtIndex<readonly PreparedQuery[]> {
    return { index: this.#index, value: this.#table.all() };
  }

  find(idOrName: string): PreparedQuery | undefined {
    return this.#table.get(idOrName.toLowerCase()) ?? this.#table.named(idOrName);
  }

  /** Takes in that something happened to one, and adds the topic. */
  reflect(index: number, touched: Set<string>): void {
    this.#index = index;
    touched.add(QUERIES);
  }

  /** Everything may have changed up to `floor`. */
  reset(floor: number): void {
    this.#index = floor;
  }
}

export const QUERIES = 'queries';
