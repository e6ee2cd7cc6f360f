import { randomUUID } from 'node:crypto';
import type { RedisAddress } from '../../../config/runtime/store.ts';
import { type Cancel, type Clock, sleep } from '../../../core/clock.ts';
import { Emitter } from '../../../core/emitter.ts';
import type { Log } from '../../../core/log.ts';
import { connectAnew, connectRedis, type RedisClient } from './clients.ts';
import { isTimeout, NOT_CONNECTED, reasonOf } from './failures.ts';
import { clock as clockOfRedis } from './scripts/clock.ts';
import { runScript } from './scripts/script.ts';

export interface BroadcastOptions {
  readonly address: RedisAddress;
  /** Of a stream: who has the same hears each other. */
  readonly key: string;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
}

/** What another process has said. */
export interface Heard {
  readonly kind: string;
  readonly body: string;
  /** When, by the clock of Redis: ms since the Unix epoch. */
  readonly at: number;
}

const COMMAND_MS = 3_000;
/** How long one read waits for a message. */
const WAIT_MS = 5_000;
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** Between two looks at the clock of Redis, ms. */
const CLOCK_MS = 60_000;
/** Messages that the stream keeps, for who is cut off for a moment. */
const KEPT = 256;
/** Seconds after which a stream that nobody reads is gone. */
const UNUSED_S = 3_600;
/** Messages read at once, and under way to Redis at once. */
const PAGE = 32;
const MOST_UNDER_WAY = 256;

/**
 * Messages between the processes that know one key in Redis, in one order for all, for what may be lost: one that
 * cannot be sent at once is dropped, and of those missed only the last are there later. Nothing here waits for Redis.
 */
export class RedisBroadcast {
  /** From now on messages come in: at the first connection, and whenever there were none before it. */
  readonly connected = new Emitter<'first' | 'again'>();
  readonly heard = new Emitter<Heard>();
  readonly #options: BroadcastOptions;
  readonly #writer: RedisClient;
  readonly #reader: RedisClient;
  readonly #closing = new AbortController();
  readonly #self = randomUUID();
  #reading: Promise<void> | undefined;
  #cancelClock: Cancel = () => {};
  #isConnected = false;
  #wasConnected = false;
  /** Id of the last message read. */
  #last: string | undefined;
  #underWay = 0;
  #offset: number | undefined;

  constructor(options: BroadcastOptions) {
    const { address, random, log } = options;
    this.#options = options;
    this.#writer = connectRedis(address, 'vane-broadcast-writer', COMMAND_MS, random);
    this.#reader = connectRedis(address, 'vane-broadcast-reader', WAIT_MS + COMMAND_MS, random);
    for (const client of [this.#writer, this.#reader]) {
      // Commands that fail tell it as well, each to whoever sent it.
      client.on('error', (error: Error) => log.debug({ error: error.message }, 'redis'));
    }
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** ms by which the clock of Redis is ahead of this machine's wall clock; undefined: it was never asked. */
  get clockOffset(): number | undefined {
    return this.#offset;
  }

  start(): void {
    this.#reading = this.#read();
  }

  /** Resolves to false when the message was dropped. Never rejects. */
  async send(kind: string, body: string): Promise<boolean> {
    if (!this.#isConnected || this.#underWay >= MOST_UNDER_WAY) return false;
    this.#underWay++;
    const fields = ['from', this.#self, 'kind', kind, 'body', body];
    try {
      await this.#writer.xadd(this.#options.key, 'MAXLEN', KEPT, '*', ...fields);
      return true;
    } catch (thrown) {
      this.#options.log.debug({ error: reasonOf(thrown) }, 'message to other nodes not sent');
      return false;
    } finally {
      this.#underWay--;
    }
  }

  /** Whether this process is the first to ask for it within so many ms. Never rejects. */
  async claim(what: string, ms: number): Promise<boolean> {
    try {
      return (await this.#writer.set(`${this.#options.key}:${what}`, this.#self, 'PX', ms, 'NX')) !== null;
    } catch (thrown) {
      this.#options.log.debug({ error: reasonOf(thrown) }, 'nothing could be agreed upon with other nodes');
      return false;
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelClock();
    this.#isConnected = false;
    this.#reader.disconnect();
    this.#writer.disconnect();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { clock, random, key, log } = this.#options;
    const { signal } = this.#closing;
    await Promise.allSettled([this.#writer.connect(), this.#reader.connect()]);
    let pause = SHORTEST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        if (!this.#isConnected) await this.#begin();
        const last = this.#last ?? '0-0';
        const streams = await this.#reader.xread('COUNT', PAGE, 'BLOCK', WAIT_MS, 'STREAMS', key, last);
        pause = SHORTEST_PAUSE_MS;
        for (const [id, fields] of streams?.[0]?.[1] ?? []) this.#take(id, fields);
      } catch (thrown) {
        if (signal.aborted) return;
        if (this.#isConnected)
          log.warn({ key, error: reasonOf(thrown) }, 'other nodes are not heard: Redis is away');
        this.#isConnected = false;
        if (isTimeout(thrown)) connectAnew(this.#reader, this.#writer);
        const wait = pause * (0.5 + random() / 2);
        pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
        await sleep(clock, wait, signal).catch(() => {});
      }
    }
  }

  /** Finds out where to go on: a Redis that was emptied, or another one, may be behind what was read. */
  async #begin(): Promise<void> {
    if (this.#reader.status !== 'ready') throw new Error(NOT_CONNECTED);
    await this.#askClock();
    const [newest] = await this.#writer.xrevrange(this.#options.key, '+', '-', 'COUNT', 1);
    const end = newest?.[0] ?? '0-0';
    if (this.#last === undefined || isBefore(end, this.#last)) this.#last = end;
    if (this.#closing.signal.aborted) return;
    this.#isConnected = true;
    const how = this.#wasConnected ? 'again' : 'first';
    this.#wasConnected = true;
    this.#options.log.info({ key: this.#options.key }, 'other nodes are heard');
    this.connected.emit(how);
  }

  async #askClock(): Promise<void> {
    const { clock, key } = this.#options;
    this.#cancelClock();
    const before = clock.wall();
    const there = Number(await runScript(this.#writer, clockOfRedis, [key], [UNUSED_S]));
    this.#offset = there - (before + clock.wall()) / 2;
    if (this.#closing.signal.aborted) return;
    this.#cancelClock = clock.after(CLOCK_MS, () => {
      // The last answer stands; the next connection asks again.
      this.#askClock().catch((thrown: unknown) =>
        this.#options.log.debug({ error: reasonOf(thrown) }, 'the clock of Redis is not known anew'),
      );
    });
  }

  #take(id: string, fields: readonly string[]): void {
    this.#last = id;
    const field = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
    if (field('from') === this.#self) return;
    this.heard.emit({ kind: field('kind'), body: field('body'), at: millis(id) });
  }
}

function isBefore(a: string, b: string): boolean {
  return millis(a) < millis(b) || (millis(a) === millis(b) && sequence(a) < sequence(b));
}

function millis(id: string): number {
  return Number(id.split('-')[0]);
}

function sequence(id: string): number {
  return Number(id.split('-')[1]);
}
