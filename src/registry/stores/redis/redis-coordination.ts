import { randomUUID } from 'node:crypto';
import { messageOf, VaneError } from '../../../core/errors.ts';
import type {
  Condition,
  Coordination,
  LockDelay,
  Member,
  MemberFacts,
  Refused,
  Standing,
  StoreBacklog,
} from '../../cluster/coordination.ts';
import { fold } from '../../fold.ts';
import type { Cause, Change } from '../../model.ts';
import type { RedisClient } from './clients.ts';
import { encodeCommit } from './commit-text.ts';
import type { StoreKeys } from './keys.ts';
import { appendAsLeader } from './scripts/append.ts';
import { beat } from './scripts/beat.ts';
import { delayLocks, lockDelays } from './scripts/lock-delays.ts';
import { forgetLapsed, members, release } from './scripts/members.ts';
import { runScript, type Script } from './scripts/script.ts';
import { renewSession, watchSessions } from './scripts/sessions.ts';
import { hasEnded, type ProcessIdentity, thisProcess } from './this-process.ts';

/** Appends to the log; resolves to undefined where the script declines. */
type Append = (epoch: string, uid: string) => Promise<number | undefined>;

export interface RedisCoordinationOptions {
  readonly client: RedisClient;
  readonly keys: StoreKeys;
  /** ms */
  readonly lease: number;
  /** Of this process. */
  readonly process: ProcessIdentity | undefined;
  readonly backlog: () => StoreBacklog;
  /** Wall-clock ms. */
  readonly now: () => number;
  /** Puts a commit on its way that `append` writes; resolves once it has come back, to false where it declined. */
  readonly send: (changes: readonly Change[], cause: Cause, append: Append) => Promise<boolean>;
}

/** Of a holder, as it is in Redis. */
interface Holder extends ProcessIdentity, MemberFacts {
  /** Tells the process from all others; '' for one that has given its lease up. */
  readonly holder: string;
  readonly since: number;
}

/** Nodes renew at a third of their lease: where none has for longer than this part of it, none was able to. */
const LONGEST_GAP = 0.4;
const ROWS_AT_ONCE = 500;

/** How nodes agree by way of Redis and its clock. */
export class RedisCoordination implements Coordination {
  readonly lease: number;
  readonly #options: RedisCoordinationOptions;
  readonly #holder = randomUUID();
  readonly #process: ProcessIdentity;
  #since: number | undefined;
  /** A former holder that has ended. */
  #ended = '';

  constructor(options: RedisCoordinationOptions) {
    this.#options = options;
    this.lease = options.lease;
    this.#process = options.process ?? thisProcess();
  }

  get backlog(): StoreBacklog {
    return this.#options.backlog();
  }

  async beat(me: MemberFacts): Promise<Standing | Refused> {
    const { keys } = this.#options;
    const facts = this.#facts(me, this.#holder);
    const names = [keys.members, keys.leases, keys.cluster, keys.tokens, keys.sessions, keys.index];
    const args = [fold(me.node), this.#holder, this.lease, facts, this.#ended, this.lease * LONGEST_GAP];
    const answer = await this.#run(beat, names, args);
    if (!Array.isArray(answer)) throw new VaneError('STORE_FAILED', 'Redis answers what it was not asked');
    if (answer[0] !== 'refused') return standingOf(answer);
    const [, text, renewal, left] = answer.map(String);
    const holder = holderOf(text ?? '');
    if (holder && hasEnded(holder) && this.#ended !== holder.holder) {
      this.#ended = holder.holder;
      return this.beat(me);
    }
    return { kind: 'refused', by: memberOf(me.node, holder, Number(left)), renewal: renewal ?? '' };
  }

  async release(me: MemberFacts): Promise<void> {
    await this.#release(me.node, this.#facts(me, ''));
  }

  async forget(node: string): Promise<void> {
    await this.#release(node, '');
  }

  async forgetLapsed(ms: number, node: string | undefined): Promise<void> {
    const { keys } = this.#options;
    await this.#run(forgetLapsed, [keys.members, keys.leases], [ms, node === undefined ? '' : fold(node)]);
  }

  async members(): Promise<readonly Member[]> {
    const { keys } = this.#options;
    const answer = await this.#run(members, [keys.members, keys.leases], []);
    const texts = Array.isArray(answer) ? answer.map(String) : [];
    const all: Member[] = [];
    for (let at = 0; at + 2 < texts.length; at += 3) {
      const [node = '', facts = '', left = ''] = texts.slice(at, at + 3);
      all.push(memberOf(node, holderOf(facts), Number(left)));
    }
    return all.sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  commitIf(token: string, condition: Condition, changes: readonly Change[], cause: Cause): Promise<boolean> {
    const { keys, send } = this.#options;
    const { epoch: name, index, log, cluster, leases, sessions } = keys;
    const session = condition.kind === 'due' ? condition.session : '';
    const names = [name, index, log, cluster, leases, sessions, keys.ended(session)];
    const what = conditionArgs(condition);
    return send(changes, cause, async (epoch, uid) => {
      const commit = encodeCommit({ changes, cause, expects: [] });
      const args = [epoch, uid, commit, this.#holder, token, ...what];
      const index = await runScript(this.#options.client, appendAsLeader, names, args);
      return index === '' ? undefined : Number(index);
    });
  }

  async watchSessions(
    sessions: readonly { readonly id: string; readonly ms: number }[],
    again: boolean,
  ): Promise<void> {
    for (let from = 0; from < sessions.length; from += ROWS_AT_ONCE) {
      const some = sessions.slice(from, from + ROWS_AT_ONCE).flatMap(({ id, ms }) => [id, ms]);
      await this.#run(watchSessions, [this.#options.keys.sessions], [again ? 'all' : 'NX', ...some]);
    }
  }

  async unwatchSession(id: string): Promise<void> {
    const { client, keys } = this.#options;
    await client.zrem(keys.sessions, id).catch(failed);
  }

  async renewSession(id: string, ms: number): Promise<boolean> {
    const { keys } = this.#options;
    return Number(await this.#run(renewSession, [keys.sessions, keys.ended(id)], [id, ms])) === 1;
  }

  async delayLocks(delays: readonly LockDelay[]): Promise<void> {
    for (let from = 0; from < delays.length; from += ROWS_AT_ONCE) {
      const some = delays.slice(from, from + ROWS_AT_ONCE).flatMap(({ key, ms }) => [key, ms]);
      await this.#run(delayLocks, [this.#options.keys.lockDelays], some);
    }
  }

  async lockDelays(keys: readonly string[]): Promise<readonly LockDelay[]> {
    const answer = await this.#run(lockDelays, [this.#options.keys.lockDelays], keys);
    const left = Array.isArray(answer) ? answer.map(Number) : [];
    return keys.map((key, i) => ({ key, ms: left[i] ?? 0 })).filter(({ ms }) => ms > 0);
  }

  async #release(node: string, facts: string): Promise<void> {
    const { keys } = this.#options;
    const names = [keys.members, keys.leases, keys.cluster];
    await this.#run(release, names, [fold(node), this.#holder, facts]);
  }

  #facts({ node, address }: MemberFacts, holder: string): string {
    this.#since ??= this.#options.now();
    const facts: Holder = { holder, node, address, ...this.#process, since: this.#since };
    return JSON.stringify(facts);
  }

  #run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return runScript(this.#options.client, script, keys, args).catch(failed);
  }
}

/** As {@link appendAsLeader} takes it. */
function conditionArgs(condition: Condition): readonly (string | number)[] {
  switch (condition.kind) {
    case 'leads':
      return ['leads'];
    case 'lapsed':
      return ['lapsed', fold(condition.node), condition.ms];
    case 'due':
      return ['due', condition.session];
  }
}

function failed(thrown: unknown): never {
  throw new VaneError('STORE_FAILED', `Redis: ${messageOf(thrown)}`, { cause: thrown });
}

function standingOf(answer: readonly unknown[]): Standing {
  const [, index, token, leader, leaderLeft, steady, live, nextLapse, due, nextDue, watched] = answer;
  return {
    kind: 'held',
    index: Number(index),
    token: token === '' ? undefined : String(token),
    leader: leader === null ? undefined : String(leader),
    leaderLeft: Number(leaderLeft),
    steady: Number(steady),
    live: new Set(Array.isArray(live) ? live.map(String) : []),
    nextLapse: Number(nextLapse),
    due: Array.isArray(due) ? due.map(String) : [],
    nextDue: nextDue === '' ? undefined : Number(nextDue),
    watched: Number(watched),
  };
}

/** Undefined for what no Vane has written. */
function holderOf(text: string): Holder | undefined {
  try {
    const facts: Partial<Record<string, unknown>> = { ...JSON.parse(text) };
    const { holder, node, address, pid, host, machine, since } = facts;
    return {
      holder: String(holder),
      node: String(node),
      address: String(address),
      pid: Number(pid),
      host: String(host),
      machine: String(machine),
      since: Number(since),
    };
  } catch {
    // It has been lost, or put there by hand: who has the lease is then not known.
    return undefined;
  }
}

function memberOf(node: string, holder: Holder | undefined, left: number): Member {
  const { address = '', pid = 0, host = '', since = 0 } = holder ?? {};
  return { node: holder?.node ?? node, address, pid, host, since, left, released: holder?.holder === '' };
}
