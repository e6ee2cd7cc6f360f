import { type Cancel, type Clock, sleep } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { fold } from '../fold.ts';
import type { Cause, Change } from '../model.ts';
import type { CatalogReader } from '../reader.ts';
import type { Effect } from '../tables.ts';
import type { Coordination, Member, MemberFacts, Refused, Standing, StoreBacklog } from './coordination.ts';
import { LeaderDuties } from './leader-duties.ts';
import { countsAsFailed } from './plans.ts';

export interface ClusterOptions {
  readonly coordination: Coordination;
  readonly catalog: CatalogReader;
  /** This process's own. */
  readonly node: { readonly name: string; readonly address: string };
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** Puts this node into the catalog again as it is, alive. */
  readonly reassert: () => Promise<void>;
}

/** What this node knows of all of them. */
export interface ClusterView extends StoreBacklog {
  readonly self: string;
  /** The last commit taken in here. */
  readonly index: number;
  /** ms without a sign of life until a node counts as dead. */
  readonly leaseMs: number;
  /** Undefined: none is known. */
  readonly leader: string | undefined;
  /** This node's own lease: `lost` to another process of its name; `lapsed` while it could not be renewed. */
  readonly lease: 'held' | 'lapsed' | 'lost';
  /** Commits that were there when this node renewed its lease last and that it did not have yet. */
  readonly lag: number;
}

export interface MemberView extends Member {
  /** `stopped`: it was told to, and may come back within its lease as if nothing had happened. */
  readonly state: 'alive' | 'stopped' | 'failed';
  readonly leads: boolean;
}

/** The same with who is there; `trouble`: why that is not known now. */
export interface ClusterStatus extends ClusterView {
  readonly members: readonly MemberView[];
  readonly trouble: string | undefined;
}

/** Renewals in one lease, so that one that fails or is late does not lose it. */
const RENEWALS = 3;
/** For the renewal under way to end before this node stops, ms. */
const STOP_MS = 1_000;
/** Between attempts while the store is away, ms. */
const RETRY_MS = 1_000;
/** Never sooner than this, ms: each costs the store something. */
const SHORTEST_MS = 20;
/** Of those who wait for the lead, so that they do not all ask at once, ms. */
const SPREAD_MS = 200;
/** Between looks at a lease that a process of this node's name has, ms. */
const LOOK_MS = 500;

/**
 * This node's place among those that share the registry: holds its lease, leads if it falls to it, and says that it is
 * alive when the others have taken it for dead.
 */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #duties: LeaderDuties;
  readonly #me: MemberFacts;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #unwatch: Cancel = () => {};
  #standing: Standing | undefined;
  /** Clock ms of the answer that said so. */
  #heldAt = Number.NEGATIVE_INFINITY;
  #lost = false;
  #lag = 0;
  #reasserting = false;
  readonly #elected = new Emitter<boolean>();
  /** What those who wait for the lead have been told last. */
  #leads = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#duties = new LeaderDuties(options);
    this.#me = { node: options.node.name, address: options.node.address };
  }

  get view(): ClusterView {
    const { clock, coordination, catalog } = this.#options;
    const isHeld = clock.now() - this.#heldAt < coordination.lease;
    const lease = this.#lost ? 'lost' : isHeld ? 'held' : 'lapsed';
    return {
      self: this.#me.node,
      index: catalog.index,
      leaseMs: coordination.lease,
      leader: this.#standing?.leader,
      lease,
      lag: this.#lag,
      ...coordination.backlog,
    };
  }

  /** With the nodes, by name; there are none while the store is away. */
  async status(): Promise<ClusterStatus> {
    const { view } = this;
    try {
      const members = await this.#options.coordination.members();
      const views = members.map((member): MemberView => {
        const state = member.left <= 0 ? 'failed' : member.released ? 'stopped' : 'alive';
        return { ...member, state, leads: state === 'alive' && fold(member.node) === view.leader };
      });
      return { ...view, members: views, trouble: undefined };
    } catch (thrown) {
      return { ...view, members: [], trouble: messageOf(thrown) };
    }
  }

  /**
   * Takes this node's lease. A process that had it and has ended is waited for, if it cannot be known otherwise. Rejects
   * with CONFIG_INVALID when another one lives; goes on without while the store is away.
   */
  async join(): Promise<void> {
    const { coordination, clock, log } = this.#options;
    let first: Refused | undefined;
    for (;;) {
      let answer: Standing | Refused;
      try {
        answer = await coordination.beat(this.#me);
      } catch (thrown) {
        log.warn({ error: messageOf(thrown) }, 'node has no lease yet');
        return;
      }
      if (answer.kind === 'held') return this.#took(answer);
      const { pid, host, left } = answer.by;
      if (!first)
        log.warn({ node: this.#me.node, pid, host, left }, 'waiting: the lease of this node is still held');
      first ??= answer;
      if (answer.renewal !== first.renewal) throw taken(this.#me.node, answer.by);
      await sleep(clock, Math.min(LOOK_MS, Math.max(SHORTEST_MS, left)), this.#closing.signal);
    }
  }

  /** To be told once this node is in the catalog. */
  start(): void {
    const { catalog } = this.#options;
    this.#unwatch = catalog.watch({ kind: 'health-node', node: catalog.self }, () => this.#reassert());
    this.#tellElected();
    this.#running = this.#run();
  }

  /** Calls back, at once and after every change, with whether this node leads. */
  whileLeading(fn: (leads: boolean) => void): Cancel {
    fn(this.#leads);
    return this.#elected.on(fn);
  }

  /** Resolves to false, with nothing changed, where another node leads by then. Rejects with STORE_FAILED. */
  async commitAsLeader(changes: readonly Change[], cause: Cause): Promise<boolean> {
    const token = this.#standing?.token;
    if (token === undefined) return false;
    return this.#options.coordination.commitIf(token, { kind: 'leads' }, changes, cause);
  }

  /** Takes in what a commit has done. */
  reflect(effects: readonly Effect[]): void {
    this.#duties.reflect(effects);
  }

  /**
   * Ends it. The lease is given up, so that another process may take it at once; until it lapses nobody minds that none
   * has. With `leave`, which takes this node out of the catalog, it goes for good.
   */
  async stop(leave: (() => Promise<unknown>) | undefined): Promise<void> {
    const { clock, coordination, log } = this.#options;
    this.#unwatch();
    this.#closing.abort(new VaneError('STOPPING', 'the registry stops'));
    // Redis may be away: what is under way then ends when the store is closed.
    const late = new AbortController();
    await Promise.race([this.#running, sleep(clock, STOP_MS, late.signal).catch(() => {})]);
    late.abort();
    this.#duties.retire();
    if (this.#lost) return;
    try {
      await leave?.();
      await (leave ? coordination.forget(this.#me.node) : coordination.release(this.#me));
    } catch (thrown) {
      log.warn({ error: messageOf(thrown) }, 'node has not given up its place: it lapses by itself');
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    let wait = this.#waitAfter(this.#standing);
    while (!this.#closing.signal.aborted) {
      await sleep(clock, wait, this.#closing.signal).catch(() => {});
      if (this.#closing.signal.aborted) return;
      wait = await this.#beat();
      this.#tellElected();
    }
  }

  #tellElected(): void {
    const leads = this.#standing?.token !== undefined;
    if (leads === this.#leads) return;
    this.#leads = leads;
    this.#elected.emit(leads);
  }

  /** Resolves to ms until the next one. */
  async #beat(): Promise<number> {
    const { coordination, log } = this.#options;
    try {
      const answer = await coordination.beat(this.#me);
      if (answer.kind === 'refused') {
        this.#isLost(answer.by);
        return coordination.lease / RENEWALS;
      }
      this.#took(answer);
    } catch (thrown) {
      this.#standing = undefined;
      this.#duties.retire();
      log.debug({ error: messageOf(thrown) }, 'lease of this node was not renewed');
      return RETRY_MS * (0.5 + this.#options.random() / 2);
    }
    const standing = this.#standing;
    this.#reassert();
    if (standing?.token !== undefined && !(await this.#duties.perform(standing.token, standing))) {
      return Math.min(RETRY_MS, this.#waitAfter(standing));
    }
    return this.#waitAfter(standing);
  }

  #took(standing: Standing): void {
    const { clock, log, catalog } = this.#options;
    const leader = this.#standing?.leader;
    if (standing.leader !== leader && standing.leader !== undefined) {
      const isMe = standing.token !== undefined;
      log.info({ leader: standing.leader }, isMe ? 'this node leads the registry' : 'registry has a leader');
    }
    if (this.#lost) log.info({ node: this.#me.node }, 'this node has its lease again');
    this.#lost = false;
    this.#standing = standing;
    this.#heldAt = clock.now();
    this.#lag = Math.max(0, standing.index - catalog.index);
  }

  #isLost(by: Member): void {
    const { log } = this.#options;
    const { pid, host } = by;
    if (!this.#lost)
      log.error({ node: this.#me.node, pid, host }, 'another process has taken the name of this node');
    this.#lost = true;
    this.#standing = undefined;
    this.#duties.retire();
  }

  #waitAfter(standing: Standing | undefined): number {
    const { coordination, random } = this.#options;
    const renewal = (coordination.lease / RENEWALS) * (0.9 + random() / 10);
    if (!standing) return SHORTEST_MS;
    const others =
      standing.token === undefined
        ? [standing.leaderLeft + random() * SPREAD_MS]
        : [
            standing.nextLapse + SHORTEST_MS,
            ...(standing.nextDue === undefined ? [] : [standing.nextDue + SHORTEST_MS]),
            // Nobody is taken for dead before all have had the time of a lease.
            ...(standing.steady < coordination.lease
              ? [coordination.lease - standing.steady + SHORTEST_MS]
              : []),
          ];
    return Math.max(SHORTEST_MS, Math.min(renewal, ...others));
  }

  /** The others have taken this node for dead, or it has been taken out of the catalog. */
  #reassert(): void {
    const { catalog, reassert, log } = this.#options;
    if (this.#reasserting || this.view.lease !== 'held' || !countsAsFailed(catalog, catalog.self)) return;
    this.#reasserting = true;
    log.warn({ node: fold(catalog.self) }, 'this node was taken for dead by the others, and is not');
    reassert()
      .catch((thrown: unknown) =>
        log.warn({ error: messageOf(thrown) }, 'node is not alive for the others yet'),
      )
      .finally(() => {
        this.#reasserting = false;
      });
  }
}

function taken(node: string, { pid, host, since }: Member): VaneError {
  const who = `process ${pid} on ${host}, since ${new Date(since).toISOString()}`;
  const message = `a node by the name ${node} runs already (${who}): nodes that share a registry need names of their own (global.node)`;
  return new VaneError('CONFIG_INVALID', message);
}
