import type { BackendConfig } from '../config/runtime/backends.ts';
import type { RedisStoreConfig } from '../config/runtime/store.ts';
import { type Cancel, type Clock, sleep } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { decodePeerNews, encodePeerNews, tableKind } from '../proxy/stick/peer-news.ts';
import type { StickEntry } from '../proxy/stick/stick-table.ts';
import { type Heard, RedisBroadcast } from '../registry/stores/redis/broadcast.ts';
import { storeKeys } from '../registry/stores/redis/keys.ts';

/** Where the tables are. */
export interface Tables {
  /** Takes what another node remembers. */
  learn(backend: string, entries: readonly StickEntry[]): void;
  /** Has all that is in them told, by {@link TablePeers.tell}. */
  teach(): void;
}

export interface TablePeersOptions {
  readonly redis: Pick<RedisStoreConfig, 'address' | 'prefix'>;
  readonly tables: Tables;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
}

/** How stick-tables are shared with other nodes. */
export interface TablePeersView {
  readonly connected: boolean;
  /** Entries told to others, not told as they could not be sent at once, and taken from others, in all. */
  readonly sent: number;
  readonly dropped: number;
  readonly learned: number;
  /** From the telling of the last message that came to its arrival, ms. */
  readonly lagMs: number;
}

/** Before tables are told as a whole, so that several who ask are answered once, ms. */
const TEACH_AFTER_MS = 300;
/** Who has been heard for less than this knows little itself, and lets others answer first, ms. */
const NEWCOMER_MS = 10_000;
const OTHERS_FIRST_MS = 1_000;
/** Who answers one who has just come: the others keep silent for this long, ms. */
const ANSWERED_MS = 10_000;

/**
 * Tells the other nodes of the registry, through Redis, what stick-tables with `peers registry` hold, and takes what
 * they tell. A table is never asked whether others know more: they may be some milliseconds behind, or, while Redis is
 * away, as far as clients have moved meanwhile.
 */
export class TablePeers {
  readonly #options: TablePeersOptions;
  /** Kinds of the tables that are shared, by backend. */
  #shared: ReadonlyMap<string, string> = new Map();
  #broadcast: RedisBroadcast | undefined;
  #closing: Promise<void> = Promise.resolve();
  #cancelTeach: Cancel | undefined;
  /** Ends the waiting of a newcomer. */
  #ending = new AbortController();
  /** Clock ms until which this node is one. */
  #newUntil = Number.POSITIVE_INFINITY;
  #sent = 0;
  #dropped = 0;
  #learned = 0;
  #lagMs = 0;

  constructor(options: TablePeersOptions) {
    this.#options = options;
  }

  /** Undefined: no table is shared. */
  get view(): TablePeersView | undefined {
    if (!this.#broadcast) return undefined;
    const { isConnected: connected } = this.#broadcast;
    return {
      connected,
      sent: this.#sent,
      dropped: this.#dropped,
      learned: this.#learned,
      lagMs: this.#lagMs,
    };
  }

  /** Shares the tables that are to be. There is a connection only while there are some. */
  update(backends: readonly BackendConfig[]): void {
    const before = this.#shared;
    this.#shared = new Map(
      backends.flatMap(({ name, stickiness }) => {
        const table = stickiness?.table;
        return table?.peers ? [[name, tableKind(table)]] : [];
      }),
    );
    if (this.#shared.size === 0) this.#end();
    else if (!this.#broadcast) this.#open();
    // What is shared from now on the others may know already.
    else if ([...this.#shared].some(([name, kind]) => before.get(name) !== kind)) this.#ask();
  }

  /** Tells the others, if they are to know of that table. */
  tell(backend: string, entries: readonly StickEntry[]): void {
    const table = this.#shared.get(backend);
    if (table === undefined) return;
    const offset = this.#broadcast?.clockOffset;
    if (!this.#broadcast || offset === undefined) {
      this.#dropped += entries.length;
      return;
    }
    const shifted = entries.map((entry) => ({ ...entry, since: entry.since + offset }));
    for (const { text, entries: count } of encodePeerNews({ backend, table, entries: shifted })) {
      void this.#broadcast.send('entries', text).then((sent) => {
        if (sent) this.#sent += count;
        else this.#dropped += count;
      });
    }
  }

  /** Shares nothing any more, and resolves when nothing is left of it. Never rejects. */
  async close(): Promise<void> {
    this.#shared = new Map();
    this.#end();
    await this.#closing;
  }

  #open(): void {
    const { redis, clock, log, random } = this.#options;
    const key = storeKeys(redis.prefix).tables;
    const broadcast = new RedisBroadcast({ address: redis.address, key, clock, log, random });
    this.#ending = new AbortController();
    broadcast.connected.on((how) => {
      this.#ask();
      // The others have missed what was remembered here meanwhile.
      if (how === 'again') this.#teachSoon();
      else this.#newUntil = clock.now() + NEWCOMER_MS;
    });
    broadcast.heard.on((heard) => void this.#hear(broadcast, heard));
    this.#broadcast = broadcast;
    broadcast.start();
  }

  #end(): void {
    this.#ending.abort();
    this.#cancelTeach?.();
    this.#cancelTeach = undefined;
    const broadcast = this.#broadcast;
    this.#broadcast = undefined;
    if (broadcast) this.#closing = Promise.all([this.#closing, broadcast.close()]).then(() => {});
  }

  /** Has one of the others tell all that it remembers. */
  #ask(): void {
    void this.#broadcast?.send('ask', String(this.#options.random()));
  }

  async #hear(broadcast: RedisBroadcast, { kind, body, at }: Heard): Promise<void> {
    const { clock } = this.#options;
    const offset = broadcast.clockOffset ?? 0;
    if (kind === 'ask') return this.#answer(broadcast, `asked:${at}:${body}`);
    const news = kind === 'entries' ? decodePeerNews(body) : undefined;
    if (!news || this.#shared.get(news.backend) !== news.table) return;
    this.#lagMs = Math.max(0, clock.wall() + offset - at);
    this.#learned += news.entries.length;
    // Nobody has given a client a server after saying so.
    const entries = news.entries.map(({ since, ...entry }) => ({
      ...entry,
      since: Math.min(since, at) - offset,
    }));
    this.#options.tables.learn(news.backend, entries);
  }

  async #answer(broadcast: RedisBroadcast, asked: string): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#ending;
    if (clock.now() < this.#newUntil) await sleep(clock, OTHERS_FIRST_MS, signal).catch(() => {});
    if (!signal.aborted && (await broadcast.claim(asked, ANSWERED_MS)) && !signal.aborted) this.#teachSoon();
  }

  #teachSoon(): void {
    const { clock, random } = this.#options;
    this.#cancelTeach ??= clock.after(TEACH_AFTER_MS * (0.5 + random()), () => {
      this.#cancelTeach = undefined;
      this.#options.tables.teach();
    });
  }
}
