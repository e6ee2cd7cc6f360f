import { randomUUID } from 'node:crypto';
import { VaneError } from '../../../core/errors.ts';
import type { StoreSnapshot } from '../../model.ts';
import type { RedisClient } from './clients.ts';
import { type CommitBody, decodeCommit, encodeCommit } from './commit-text.ts';
import type { StoreKeys } from './keys.ts';
import { append } from './scripts/append.ts';
import { found } from './scripts/found.ts';
import { publishSnapshot } from './scripts/publish-snapshot.ts';
import { runScript } from './scripts/script.ts';
import { where } from './scripts/where.ts';
import { encodeSnapshot, SnapshotReader } from './snapshot-text.ts';

/** A commit as the log has it. */
export interface LogEntry extends CommitBody {
  readonly index: number;
  /** The index of the commit before it: whoever is not there has missed something. */
  readonly after: number;
  /** Tells it from all others. */
  readonly uid: string;
}

/** Where the registry in a Redis stands. */
export interface Standing {
  /** Undefined: there is none. */
  readonly epoch: string | undefined;
  readonly index: number;
  /** The commit under the index that was asked about; undefined: not in the log. */
  readonly uid: string | undefined;
}

/** A registry that begins again goes on past every index that anybody has seen. */
export const INDEXES_AHEAD = 1_000_000;
const NOTHING: CommitBody = { changes: [], cause: { by: 'registry', what: 'another Redis' }, expects: [] };
/** Entries asked for at once. */
const PAGE = 1_000;
/** For a snapshot to be written; then somebody else may. */
const WRITING_MS = 60_000;
const CHUNKS_AT_ONCE = 8;
/** Between two snapshots. */
const LEAST_COMMITS = 5_000;

/** The log of commits and the snapshots of one registry in Redis. Rejects with what the client rejects with. */
export class CommitLog {
  readonly #client: RedisClient;
  readonly #keys: StoreKeys;
  readonly #process = randomUUID();
  /** How often this process has looked where the registry stands. */
  #begun = 0;

  constructor(client: RedisClient, keys: StoreKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** Whatever was sent to be appended before, and has not been by then, never will be. */
  async where(index: number): Promise<Standing> {
    const { epoch, index: at, log, writer, line } = this.#keys;
    this.#begun += 1;
    const keys = [epoch, at, log, writer(this.#process), line];
    const args = [index, this.#begun, INDEXES_AHEAD, randomUUID(), encodeCommit(NOTHING)];
    const [name, last, uid] = strings(await runScript(this.#client, where, keys, args));
    return { epoch: name || undefined, index: Number(last), uid: uid || undefined };
  }

  /** Returns the epoch of the registry that is there then, whoever founded it. */
  async found(epoch: string, index: number): Promise<string> {
    const { epoch: name, index: at, log, snapshot, restored } = this.#keys;
    const keys = [name, at, log, snapshot, restored];
    return String(await runScript(this.#client, found, keys, [epoch, index]));
  }

  /** Returns the commit's index. */
  async append(epoch: string, uid: string, body: CommitBody, least: number): Promise<number> {
    const { epoch: name, index, log, writer } = this.#keys;
    const args = [epoch, least, uid, encodeCommit(body), this.#begun];
    return Number(await runScript(this.#client, append, [name, index, log, writer(this.#process)], args));
  }

  /** The entries after an index, at most a page of them. */
  async after(index: number): Promise<readonly LogEntry[]> {
    const rows = await this.#client.xrange(this.#keys.log, `(${index}-0`, '+', 'COUNT', PAGE);
    return rows.map(entryOf);
  }

  /**
   * The same, waiting for one to come: empty when none did.
   *
   * @param client one of the waiter's own: it is blocked meanwhile
   */
  async next(client: RedisClient, index: number, waitMs: number): Promise<readonly LogEntry[]> {
    const { log } = this.#keys;
    const streams = await client.xread('COUNT', PAGE, 'BLOCK', waitMs, 'STREAMS', log, `${index}-0`);
    return streams?.[0]?.[1].map(entryOf) ?? [];
  }

  /** The rows of the last snapshot; of an empty registry where there is none yet. */
  async snapshot(): Promise<StoreSnapshot> {
    // A snapshot that is replaced while it is read stays readable for a while; longer than that takes none.
    const [at, count] = await this.#client.hmget(this.#keys.snapshot, 'index', 'chunks');
    const index = Number(at ?? 0);
    const reader = new SnapshotReader();
    for (let number = 0; number < Number(count ?? 0); number += CHUNKS_AT_ONCE) {
      const most = Math.min(CHUNKS_AT_ONCE, Number(count) - number);
      const names = Array.from({ length: most }, (_, i) => this.#keys.chunk(index, number + i));
      for (const chunk of await this.#client.mget(names)) {
        if (chunk === null)
          throw new VaneError('STORE_FAILED', `a part of snapshot ${index} in Redis is gone`);
        reader.read(chunk);
      }
    }
    return reader.at(index);
  }

  /**
   * Writes a snapshot, unless somebody else is at it or has written one of late: each cuts the log, and whoever reads that
   * must be given time. Returns whether it is the last one now.
   */
  async publish(epoch: string, snapshot: StoreSnapshot): Promise<boolean> {
    const { writing, epoch: name, log, snapshot: at, chunk } = this.#keys;
    if ((await this.#client.set(writing, '1', 'PX', WRITING_MS, 'NX')) === null) return false;
    try {
      const last = Number((await this.#client.hget(at, 'index')) ?? 0);
      if (snapshot.index - last < LEAST_COMMITS) return false;
      let chunks = 0;
      for (const text of encodeSnapshot(snapshot)) {
        await this.#client.set(chunk(snapshot.index, chunks), text);
        chunks += 1;
      }
      const begin = chunk(snapshot.index, 0).replace(/\d+:0$/, '');
      const args = [epoch, snapshot.index, chunks, begin];
      return Number(await runScript(this.#client, publishSnapshot, [name, log, at], args)) === 1;
    } finally {
      await this.#client.del(writing);
    }
  }
}

function entryOf([id, fields]: readonly [id: string, fields: readonly string[]]): LogEntry {
  const index = Number(id.split('-')[0]);
  const field = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
  return { index, after: Number(field('after')), uid: field('uid'), ...decodeCommit(index, field('commit')) };
}

function strings(reply: unknown): readonly string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}
