import { Answers, type Candidate, type Found } from './answers.ts';
import { ChangeLog, type Changes } from './changes.ts';
import {
  afterEvent,
  described,
  type Member,
  newMember,
  readjusted,
  type Transition,
  transitionOf,
} from './member.ts';
import { Names } from './names.ts';
import { RememberedModes } from './remembered-modes.ts';
import { type ServerSnapshot, serverId } from './server.ts';
import { isGone, type OperatorMode, type ServerEvent, type StandingOrder } from './state.ts';
import type { Adjustment } from './weights.ts';

export type { Candidate } from './answers.ts';
export { downtime, type Member, type Transition } from './member.ts';

/** Why servers come and go with an answer, in words for the log. */
export interface Reasons {
  readonly present: string;
  /** Of a server that the answer no longer has: `deregistered`, `critical: …`. */
  readonly absent: (id: string) => string;
}

/** A member and what was last said of it, which it keeps while it drains. */
interface Entry extends Found {
  readonly member: Member;
}

/**
 * The servers of one backend, and what each may do. Discovery, health and the operator report here in whatever
 * order they like; only `state.ts` decides. Nothing in here knows the time: `now` is always clock ms.
 */
export class Members {
  readonly #answers = new Answers();
  readonly #names = new Names();
  /** In the order in which they were first seen. */
  readonly #entries = new Map<string, Entry>();
  /** Ids of those that drain. */
  readonly #draining = new Set<string>();
  readonly #changes = new ChangeLog();
  readonly #modes = new RememberedModes();
  readonly #standing: (id: string) => StandingOrder | undefined;
  #snapshots: readonly ServerSnapshot[] = [];
  #stale = false;
  #open = 0;
  #panic = false;

  /** @param standing what holds for a server that comes, unless it was there lately and something was said of it then */
  constructor(standing: (id: string) => StandingOrder | undefined = () => undefined) {
    this.#standing = standing;
  }

  /** How many take new work. */
  get open(): number {
    return this.#open;
  }

  /**
   * Replaces the list of sources, in the order of the configuration: where two have the same server, the first
   * one's word counts. The servers of one that is dropped vanish, so a new source that takes over some of
   * them should have answered before the old one is left out.
   */
  setSources(keys: readonly string[], now: number): readonly Transition[] {
    return this.#reconcile(this.#answers.setSources(keys), REMOVED, now);
  }

  /**
   * Takes a whole answer of a source. A server is present while any source has it. The order of the candidates
   * means nothing, except that the first counts where two are the same server; the answer of a source that is
   * not (or no longer) in the list means nothing at all.
   */
  discover(
    source: string,
    candidates: readonly Candidate[],
    reasons: Reasons,
    now: number,
  ): readonly Transition[] {
    return this.#reconcile(this.#answers.put(source, candidates), reasons, now);
  }

  /**
   * Takes what has changed of the answer of a source: `said` are new or not as they were, `gone` are ids it has no
   * longer. Otherwise as {@link discover}, in a time that depends on the change only.
   */
  discoverChange(
    source: string,
    said: readonly Candidate[],
    gone: readonly string[],
    reasons: Reasons,
    now: number,
  ): readonly Transition[] {
    return this.#reconcile(this.#answers.patch(source, said, gone), reasons, now);
  }

  /** A server that is not (or no longer) known is passed over. */
  health(id: string, up: boolean, why: string, now: number): readonly Transition[] {
    return this.#tell(id, { kind: 'health', up, why }, now);
  }

  /** Of a server that is not known (any more) it only ends what is remembered. */
  operator(id: string, mode: OperatorMode, why: string, now: number): readonly Transition[] {
    if (!this.#entries.has(id)) this.#modes.forget(id);
    return this.#tell(id, { kind: 'operator', mode, why }, now);
  }

  /** So many of them are down, or no more, that health has no say; see `panic.ts`. */
  panic(on: boolean, why: string, now: number): readonly Transition[] {
    this.#panic = on;
    return this.ids.flatMap((id) => this.#tell(id, { kind: 'panic', on, why }, now));
  }

  /** Takes what is to be said about a server's share; see `weights.ts`. One that is not known is passed over. */
  adjust(id: string, adjustment: Adjustment): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const member = readjusted(entry.member, adjustment);
    if (member !== entry.member) this.#put({ ...entry, member });
  }

  /** The data plane holds no more work of it. Means nothing unless it is draining. */
  idle(id: string, now: number): readonly Transition[] {
    return this.#tell(id, { kind: 'idle' }, now);
  }

  /** Ends the drains that are due. */
  tick(now: number): readonly Transition[] {
    return [...this.#draining].flatMap((id) => this.#tell(id, { kind: 'tick' }, now));
  }

  /** Clock ms of the next drain deadline; undefined: nothing drains. */
  nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const id of this.#draining) {
      const deadline = this.get(id)?.state.drainDeadline;
      if (deadline !== undefined && !(next !== undefined && next <= deadline)) next = deadline;
    }
    return next;
  }

  /**
   * What the data plane is to know: open and draining servers, by the order of their sources, then as first
   * seen. The same array until something in it changes.
   */
  snapshots(): readonly ServerSnapshot[] {
    if (!this.#stale) return this.#snapshots;
    this.#stale = false;
    const next = this.#inOrder().map((entry) => entry.member.snapshot);
    const before = this.#snapshots;
    if (next.length !== before.length || next.some((snapshot, i) => snapshot !== before[i])) {
      this.#snapshots = next;
    }
    return this.#snapshots;
  }

  /** Whether there may be anything for {@link takeChanges}. */
  get changed(): boolean {
    return !this.#changes.empty;
  }

  /** Servers about which something may have changed since {@link takeChanges}, closed ones and those gone included. */
  get changedIds(): readonly string[] {
    return this.#changes.ids;
  }

  /** How {@link snapshots} have changed since this was last asked. */
  takeChanges(): Changes {
    return this.#changes.take((id) => visible(this.#entries.get(id)));
  }

  /** Those that are not closed. Where there is one source, they are in order as they stand. */
  #inOrder(): readonly Entry[] {
    const entries: Entry[] = [];
    let sorted = true;
    let last = 0;
    for (const entry of this.#entries.values()) {
      const { state, snapshot } = entry.member;
      if (state.work === 'closed') continue;
      if (snapshot.rank < last) sorted = false;
      last = snapshot.rank;
      entries.push(entry);
    }
    if (sorted) return entries;
    return entries.sort((a, b) => a.member.snapshot.rank - b.member.snapshot.rank);
  }

  /** As first seen. */
  all(): readonly Member[] {
    return [...this.#entries.values()].map((entry) => entry.member);
  }

  /** Of {@link all}. */
  get ids(): readonly string[] {
    return [...this.#entries.keys()];
  }

  get(id: string): Member | undefined {
    return this.#entries.get(id)?.member;
  }

  /** The source whose word about a server counts, or counted last; undefined: no such server. */
  sourceOf(id: string): string | undefined {
    return this.#entries.get(id)?.source;
  }

  /** Brings these servers in line with the answers. Their ids are sorted, so that names depend on no order. */
  #reconcile(ids: readonly string[], reasons: Reasons, now: number): readonly Transition[] {
    const present = new Map<string, Found>();
    const transitions: Transition[] = [];
    for (const id of ids) {
      const found = this.#answers.find(id);
      if (found) present.set(id, found);
      else
        transitions.push(
          ...this.#tell(id, { kind: 'discovery', present: false, why: reasons.absent(id) }, now),
        );
    }
    // Names are let go of before any is taken, so that servers can swap theirs.
    const nameless = new Set<string>();
    for (const [id, { candidate }] of present) {
      const entry = this.#entries.get(id);
      if (entry && !wantsName(entry, candidate)) continue;
      if (entry) this.#names.release(entry.member.snapshot.name);
      nameless.add(id);
    }
    for (const [id, found] of present) {
      const entry = this.#entries.get(id);
      const name = nameless.has(id) ? this.#takeName(id, found.candidate, present) : undefined;
      if (entry) {
        this.#describe(entry, found, name ?? entry.member.snapshot.name);
        transitions.push(...this.#tell(id, { kind: 'discovery', present: true, why: reasons.present }, now));
      } else {
        transitions.push(this.#add(id, found, name ?? found.candidate.name, reasons.present, now));
      }
    }
    return transitions;
  }

  /** An instance that has moved takes its name with it: where it was, the name is not needed any more. */
  #takeName(id: string, { name, address, port }: Candidate, present: ReadonlyMap<string, Found>): string {
    const holder = this.#entries.get(this.#names.holder(name) ?? '');
    if (holder && isAbsent(holder) && !present.has(holder.member.id)) {
      const { member, candidate } = holder;
      const { id: other, snapshot } = member;
      this.#names.release(name);
      const mine = this.#names.take(name, id, serverId(address, port));
      const theirs = this.#names.take(name, other, serverId(candidate.address, candidate.port));
      this.#put({ ...holder, member: { ...member, snapshot: { ...snapshot, name: theirs } } });
      return mine;
    }
    return this.#names.take(name, id, serverId(address, port));
  }

  #add(id: string, found: Found, name: string, why: string, now: number): Transition {
    const standing = this.#standing(id);
    const operator = this.#modes.take(id, now) ?? (standing && { ...standing, since: now });
    const rank = this.#answers.rank(found.source);
    const fresh = newMember(found.candidate, { name, rank }, why, now, operator);
    const member = afterEvent(fresh, { kind: 'panic', on: this.#panic, why }, now, 0, found.candidate.sticky);
    this.#put({ ...found, member });
    const to = member.state.work;
    const said = operator
      ? ({ source: 'operator', why: operator.why } as const)
      : ({ source: 'discovery', why } as const);
    return { member, from: 'new', to, ...said, ended: undefined, at: now };
  }

  #describe(entry: Entry, found: Found, name: string): void {
    const rank = this.#answers.rank(found.source);
    this.#put({ ...found, member: described(entry.member, found.candidate, { name, rank }) });
  }

  #tell(id: string, event: ServerEvent, now: number): readonly Transition[] {
    const entry = this.#entries.get(id);
    if (!entry) return [];
    const { drain, endOnDown, sticky } = entry.candidate;
    const ends = endOnDown && event.kind === 'health' && !event.up;
    const member = afterEvent(entry.member, event, now, ends ? 0 : drain, sticky);
    if (member === entry.member) return [];
    this.#put({ ...entry, member });
    if (isGone(member.state)) this.#modes.remember(id, member.state.facts.operator, now);
    const transition = transitionOf(entry.member, member, event, now);
    return transition ? [transition] : [];
  }

  /** Keeps it in the place it has had since it was first seen, or forgets it when it is gone. */
  #put(entry: Entry): void {
    const { id, state, snapshot } = entry.member;
    const before = this.#entries.get(id);
    this.#stale = true;
    this.#changes.note(id, visible(before));
    this.#open += Number(state.work === 'open') - Number(before?.member.state.work === 'open');
    if (state.work === 'draining') this.#draining.add(id);
    else this.#draining.delete(id);
    if (isGone(state)) {
      this.#entries.delete(id);
      this.#names.release(snapshot.name);
    } else {
      this.#entries.set(id, entry);
    }
  }
}

/** What the data plane is to know of it. */
function visible(entry: Entry | undefined): ServerSnapshot | undefined {
  return entry && entry.member.state.work !== 'closed' ? entry.member.snapshot : undefined;
}

function isAbsent({ member }: Entry): boolean {
  return !member.state.facts.discovery.present;
}

/** Whether it is called something else from now on, or is back after another one has taken its name. */
function wantsName(entry: Entry, candidate: Candidate): boolean {
  return (
    entry.candidate.name !== candidate.name ||
    (isAbsent(entry) && entry.member.snapshot.name !== candidate.name)
  );
}

/** A list of sources brings no new servers, it can only take some away. */
const REMOVED: Reasons = { present: '', absent: () => 'removed from the configuration' };
