import type { StickTableConfig } from '../config/runtime/stickiness.ts';
import type { Log } from '../core/log.ts';
import { tableKey } from '../proxy/stick/stick-key.ts';
import type { StickFilter, TableAnswer, TableQuestion, TableRow } from '../proxy/stick/table-question.ts';
import type { BackendControl } from './backend-control.ts';

/** A table of clients and their servers, as people are shown it. It is named as its backend. */
export interface TableView {
  readonly table: string;
  readonly type: StickTableConfig['type'];
  /** Entries it holds at most, and those it holds. */
  readonly size: number;
  readonly used: number;
  /** Those used last come first. */
  readonly entries: readonly TableRow[];
}

type Ask = (backend: string, question: TableQuestion) => Promise<TableAnswer>;

/** What operators see of the tables of all backends, and do with them. The tables are where the work is. */
export class StickTables {
  readonly #backends: ReadonlyMap<string, BackendControl>;
  readonly #ask: Ask;
  readonly #log: Log;

  /** @param ask has the data plane answer; rejects with INTERNAL */
  constructor(backends: ReadonlyMap<string, BackendControl>, ask: Ask, log: Log) {
    this.#backends = backends;
    this.#ask = ask;
    this.#log = log;
  }

  get names(): readonly string[] {
    return [...this.#backends.keys()].filter((name) => this.#config(name));
  }

  /** All of them, without entries. Rejects with INTERNAL. */
  async list(): Promise<readonly TableView[]> {
    const tables = await Promise.all(this.names.map((name) => this.show(name, {}, 0)));
    return tables.filter((table) => table !== undefined);
  }

  /**
   * Resolves to undefined where there is no such table. Rejects with INTERNAL.
   * @param limit entries at most
   */
  async show(name: string, which: StickFilter, limit: number): Promise<TableView | undefined> {
    const config = this.#config(name);
    if (!config) return undefined;
    const { used, entries } = await this.#ask(name, { do: 'show', which: ofType(which, config), limit });
    return { table: name, type: config.type, size: config.size, used, entries };
  }

  /** Resolves to how many entries that were, undefined where there is no such table. Rejects with INTERNAL. */
  async clear(name: string, which: StickFilter, by: string): Promise<number | undefined> {
    const config = this.#config(name);
    if (!config) return undefined;
    const { cleared } = await this.#ask(name, { do: 'clear', which: ofType(which, config), limit: 0 });
    this.#log.info({ backend: name, cleared, ...which, by }, `stick table ${name} cleared by ${by}`);
    return cleared;
  }

  #config(name: string): StickTableConfig | undefined {
    return this.#backends.get(name)?.config.stickiness?.table;
  }
}

/** Keys are meant however they are spelt; what can be no key of the table is in none of its entries. */
function ofType({ key, server }: StickFilter, config: StickTableConfig): StickFilter {
  return { key: key === undefined ? undefined : (tableKey(key, config) ?? key), server };
}
