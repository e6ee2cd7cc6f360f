import { randomUUID } from 'node:crypto';
import { type Clock, sleep } from '../../../core/clock.ts';
import { VaneError } from '../../../core/errors.ts';
import { fold } from '../../fold.ts';
import type { RedisClient } from './clients.ts';
import type { StoreKeys } from './keys.ts';
import { runScript } from './scripts/script.ts';
import { keepTurn } from './scripts/turn.ts';

/** How far the rows of a lost registry are in the one that has begun anew. */
export interface Restored {
  /** The index in the lost registry up to which all rows are. */
  readonly upTo: number;
  /** Nodes in lower case that have put back their own rows. */
  readonly spoken: ReadonlySet<string>;
}

/** Of a turn: kept with every commit, so that this passes only where its process has ended or is cut off. */
const TURN_MS = 5_000;
/** Between two attempts to get it, and how often. */
const AGAIN_MS = 50;
const MOST_ATTEMPTS = 400;

const UP_TO = 'up-to';
const NODE = 'node ';

/** What the nodes that put back a lost registry know of each other: they do it one after the other. */
export class Restoration {
  readonly #client: RedisClient;
  readonly #keys: StoreKeys;
  readonly #clock: Clock;
  readonly #process = randomUUID();

  constructor(client: RedisClient, keys: StoreKeys, clock: Clock) {
    this.#client = client;
    this.#keys = keys;
    this.#clock = clock;
  }

  /**
   * Does `work` while no other node does such. It is to call `keep` again and again. Rejects with STORE_FAILED when the
   * turn does not come, or was lost meanwhile.
   */
  async inTurn(signal: AbortSignal, work: (keep: () => Promise<void>) => Promise<void>): Promise<void> {
    const { turn } = this.#keys;
    for (let attempt = 0; ; attempt++) {
      if ((await this.#client.set(turn, this.#process, 'PX', TURN_MS, 'NX')) !== null) break;
      if (attempt >= MOST_ATTEMPTS)
        throw new VaneError('STORE_FAILED', 'another node still puts back its rows');
      await sleep(this.#clock, AGAIN_MS, signal);
    }
    try {
      await work(() => this.#keep());
    } finally {
      await runScript(this.#client, keepTurn, [turn], [this.#process, 0]);
    }
  }

  async read(): Promise<Restored> {
    const fields = await this.#client.hgetall(this.#keys.restored);
    const nodes = Object.keys(fields).filter((field) => field.startsWith(NODE));
    return {
      upTo: Number(fields[UP_TO] ?? 0),
      spoken: new Set(nodes.map((field) => field.slice(NODE.length))),
    };
  }

  /** A node has put back its own rows. */
  async hasSpoken(node: string): Promise<void> {
    await this.#client.hset(this.#keys.restored, `${NODE}${fold(node)}`, '1');
  }

  /** All that was in the lost registry up to an index has been put back, in the turn of this process. */
  async isWhole(upTo: number): Promise<void> {
    await this.#client.hset(this.#keys.restored, UP_TO, String(upTo));
  }

  async #keep(): Promise<void> {
    const kept = await runScript(this.#client, keepTurn, [this.#keys.turn], [this.#process, TURN_MS]);
    if (Number(kept) !== 1)
      throw new VaneError('STORE_FAILED', 'another node has begun to put back its rows');
  }
}
