import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNode } from './drill-cluster.ts';
import { monotonic } from './drill-instances.ts';

const HOLD_MS = 30;
const PAUSE_MS = 20;

/** What is guarded by one lock: it takes writes only with the latest fence that it has seen, as a storage would. */
class Guarded {
  #fence = 0;
  #holder = '';
  /** When the acquisition with the latest fence was known to its client. */
  #acquiredAt = 0;
  readonly problems: string[] = [];
  /** Writes of holders that had lost the lock and did not know it. */
  fencedOff = 0;

  /** A client has the lock; what it asked for was on its way from `since` on. */
  acquired(holder: string, fence: number, since: number): void {
    // Whoever gets it later needs a later fence, or what it guards would turn the new holder away and not the old one.
    if (fence <= this.#fence && this.#acquiredAt < since)
      this.problems.push(`${holder} got fence ${fence} after ${this.#holder} had ${this.#fence}`);
    if (fence <= this.#fence) return;
    this.#fence = fence;
    this.#holder = holder;
    this.#acquiredAt = monotonic();
  }

  write(holder: string, fence: number): void {
    if (fence < this.#fence) this.fencedOff++;
    else if (holder !== this.#holder)
      this.problems.push(`${holder} and ${this.#holder} both wrote with fence ${fence}`);
  }
}

/** Clients of all nodes that take turns with one lock, and whether ever two of them had it. */
export class Locks {
  readonly #key: string;
  readonly #guarded = new Guarded();
  acquired = 0;

  constructor(key: string) {
    this.#key = key;
  }

  get problems(): readonly string[] {
    return this.#guarded.problems;
  }

  get fencedOff(): number {
    return this.#guarded.fencedOff;
  }

  /** One client, at one node, until told to stop. */
  async take(node: ClusterNode, signal: AbortSignal): Promise<void> {
    let session: string | undefined;
    while (!signal.aborted) {
      session ??= await this.#session(node);
      if (session !== undefined && !(await this.#turn(node, session))) session = undefined;
      await sleep(PAUSE_MS * (0.5 + Math.random()));
    }
  }

  /** Resolves to whether the session is of further use. */
  async #turn(node: ClusterNode, session: string): Promise<boolean> {
    const since = monotonic();
    const holder = `${node.name} ${randomUUID()}`;
    const answer = await node.request('PUT', `/v1/kv/${this.#key}?acquire=${session}`, holder);
    if (!answer?.ok) return isOfUse(answer?.text);
    if (answer.text.trim() !== 'true') return true;
    const fence = await this.#fence(node, session, holder);
    if (fence !== undefined) {
      this.acquired++;
      this.#guarded.acquired(holder, fence, since);
      for (let n = 0; n < 3; n++) {
        this.#guarded.write(holder, fence);
        await sleep(HOLD_MS / 3);
      }
    }
    // Where that does not come through, the session gets the lock again, as it has it still.
    const released = await node.request('PUT', `/v1/kv/${this.#key}?release=${session}`, holder);
    return released?.ok || isOfUse(released?.text);
  }

  /** The index of the acquisition; undefined: it is lost already. */
  async #fence(node: ClusterNode, session: string, holder: string): Promise<number | undefined> {
    const answer = await node.request('GET', `/v1/kv/${this.#key}`);
    if (!answer?.ok) return undefined;
    const [entry] = JSON.parse(answer.text) as { Session?: string; Value: string; ModifyIndex: number }[];
    const isMine = entry?.Session === session && Buffer.from(entry.Value, 'base64').toString() === holder;
    return isMine ? entry.ModifyIndex : undefined;
  }

  async #session(node: ClusterNode): Promise<string | undefined> {
    const body = JSON.stringify({ LockDelay: '0s' });
    const answer = await node.request('PUT', '/v1/session/create', body);
    return answer?.ok ? (JSON.parse(answer.text) as { ID: string }).ID : undefined;
  }
}

/** Whether a session is still there, as far as an answer tells that was no good one. */
function isOfUse(answer: string | undefined): boolean {
  return !answer?.includes('invalid session');
}
