import { isDeepStrictEqual } from 'node:util';
import type { ServerSnapshot } from '../../balance/server.ts';
import type {
  CookieConfig,
  StickFetch,
  StickinessConfig,
  StickTableConfig,
} from '../../config/runtime/stickiness.ts';
import type { Cancel, Clock } from '../../core/clock.ts';
import type { RequestHead } from '../lanes/lane.ts';
import { compileCondition, type Predicate } from '../rules/condition.ts';
import { judgeCookie } from './cookie-request.ts';
import { Stick, type StickBackend } from './stick.ts';
import { stickKey } from './stick-key.ts';
import { type StickEntry, StickTable } from './stick-table.ts';
import { StickyServers } from './sticky-servers.ts';

/** What is asked of a request to find out whose it is. */
export interface StickSubject {
  readonly client: string;
  /** As the rules left it; undefined for a connection that is no HTTP. */
  readonly head: RequestHead | undefined;
  /** As they go to the server. */
  readonly headers: readonly string[];
}

export interface StickDeps {
  readonly clock: Clock;
  /** Whether the server with this id takes clients of its own. */
  readonly usable: (id: string) => boolean;
  /** Told of what others are to know. */
  readonly tell: (entry: StickEntry) => void;
}

interface Rule {
  readonly match: boolean;
  readonly store: boolean;
  readonly fetch: StickFetch;
  readonly holds: Predicate;
}

/** Entries that have ended are dropped this often at most, ms. */
const SWEEP_MS = 1_000;

/** How one backend brings clients back to their servers: its cookie, its table, its servers by what stands for them. */
export class Stickiness implements StickBackend {
  readonly table: StickTable | undefined;
  readonly servers: StickyServers;
  readonly cookie: CookieConfig | undefined;
  readonly #config: StickinessConfig;
  readonly #deps: StickDeps;
  readonly #rules: readonly Rule[];
  readonly #ignores: readonly Predicate[];
  #cancelSweep: Cancel | undefined;
  /** Something else holds from now on: work under way still asks this. */
  #closed = false;

  /** @param before what held until now: its table stays, where it is of the same kind */
  constructor(config: StickinessConfig, deps: StickDeps, before?: Stickiness) {
    this.#config = config;
    this.#deps = deps;
    this.cookie = config.cookie;
    this.servers = new StickyServers(config.cookie?.key ?? '', config.table?.serverKey ?? 'name');
    this.#rules = config.rules.map(({ condition, ...rule }) => ({
      ...rule,
      holds: compileCondition(condition),
    }));
    this.#ignores = config.ignore.map(compileCondition);
    if (config.table) {
      this.table = before?.table ?? new StickTable(config.table);
      this.table.update(config.table);
    }
    before?.close();
    this.#armSweep();
  }

  /** Takes servers that are new or not as they were, and ids of those that are gone. */
  changeServers(snapshots: readonly ServerSnapshot[], gone: readonly string[]): void {
    for (const id of gone) this.servers.delete(id);
    for (const snapshot of snapshots) this.servers.set(snapshot);
  }

  /** Whose a request is, and what is to be remembered of it. */
  begin({ client, head, headers }: StickSubject): Stick {
    const { clock } = this.#deps;
    const sample = { src: client, head };
    const ignored = this.#ignores.some((holds) => holds(sample));
    const second = Math.floor(clock.wall() / 1_000);
    const verdict =
      this.cookie && head
        ? judgeCookie(this.cookie, headers, (value) => this.#byValue(value), second, ignored)
        : undefined;
    let bound = verdict?.server;
    const keys: string[] = [];
    const answers: StickFetch[] = [];
    const { table } = this.#config;
    for (const { match, store, fetch, holds } of table && !ignored ? this.#rules : []) {
      if (!table || !holds(sample)) continue;
      if (fetch.kind === 'set-cookie' || fetch.kind === 'response-hdr') {
        answers.push(fetch);
        continue;
      }
      const key = stickKey(fetch, table, client, head);
      if (key === undefined) continue;
      if (match) bound ??= this.#byTable(key);
      if (store) keys.push(key);
    }
    return new Stick(this, {
      ...{ bound, verdict, keys, answers, ignored, second },
      method: head?.method ?? '',
      headers: verdict?.headers ?? headers,
    });
  }

  /** Remembers which server a client was given. */
  remember(key: string, id: string): void {
    const server = this.servers.of(id)?.key;
    if (server === undefined || !this.table) return;
    const { clock, tell } = this.#deps;
    const entry = this.table.put(key, server, clock.now(), clock.wall());
    if (entry) tell(entry);
    this.#armSweep();
  }

  /** Takes what another plane remembers. */
  learn(entries: readonly StickEntry[]): void {
    const now = this.#deps.clock.now();
    for (const entry of entries) this.table?.learn(entry, now);
    this.#armSweep();
  }

  /** What it was made from. */
  get config(): StickinessConfig {
    return this.#config;
  }

  get tableConfig(): StickTableConfig | undefined {
    return this.#config.table;
  }

  /** Ends its timer. */
  close(): void {
    this.#closed = true;
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #byValue(value: string) {
    const id = this.servers.byValue(value);
    return id === undefined ? undefined : { id, usable: this.#deps.usable(id) };
  }

  #byTable(key: string): string | undefined {
    const server = this.table?.find(key, this.#deps.clock.now());
    const id = server === undefined ? undefined : this.servers.byKey(server);
    return id !== undefined && this.#deps.usable(id) ? id : undefined;
  }

  #armSweep(): void {
    const end = this.table?.nextEnd;
    if (this.#closed || this.#cancelSweep || end === undefined) return;
    const { clock } = this.#deps;
    this.#cancelSweep = clock.after(Math.max(SWEEP_MS, end - clock.now()), () => {
      this.#cancelSweep = undefined;
      this.table?.sweep(clock.now());
      this.#armSweep();
    });
  }
}

/** What holds from now on; the same object where that is what held before. */
export function nextStickiness(
  config: StickinessConfig | undefined,
  before: Stickiness | undefined,
  deps: StickDeps,
): Stickiness | undefined {
  if (before && isDeepStrictEqual(config, before.config)) return before;
  if (config) return new Stickiness(config, deps, before);
  before?.close();
  return undefined;
}
