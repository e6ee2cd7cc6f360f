import { Answers, type Candidate, type Found } from './answers.ts';
import { afterEvent, described, type Member, newMember, type Transition, transitionOf } from './member.ts';
import { Names } from './names.ts';
import type { ServerSnapshot } from './server.ts';
import { isGone, type OperatorMode, type ServerEvent } from './state.ts';

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
  #snapshots: readonly ServerSnapshot[] = [];
  #stale = false;

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

  /** A server that is not (or no longer) known is passed over. */
  health(id: string, up: boolean, why: string, now: number): readonly Transition[] {
    return this.#tell(id, { kind: 'health', up, why }, now);
  }

  /** A server that is not (or no longer) known is passed over. */
  operator(id: string, mode: OperatorMode, why: string, now: number): readonly Transition[] {
    return this.#tell(id, { kind: 'operator', mode, why }, now);
  }

  /** The data plane holds no more work of it. Means nothing unless it is draining. */
  idle(id: string, now: number): readonly Transition[] {
    return this.#tell(id, { kind: 'idle' }, now);
  }

  /** Ends the drains that are due. */
  tick(now: number): readonly Transition[] {
    return [...this.#entries.keys()].flatMap((id) => this.#tell(id, { kind: 'tick' }, now));
  }

  /** Clock ms of the next drain deadline; undefined: nothing drains. */
  nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const { member } of this.#entries.values()) {
      const { drainDeadline } = member.state;
      if (drainDeadline !== undefined && !(next !== undefined && next <= drainDeadline)) next = drainDeadline;
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

  /** Those that are not closed. Where there is one source, they are in order as they stand. */
  #inOrder(): readonly Entry[] {
    const entries: Entry[] = [];
    let sorted = true;
    let last = 0;
    for (const entry of this.#entries.values()) {
      if (entry.member.state.work === 'closed') continue;
      const rank = this.#answers.rank(entry.source);
      if (rank < last) sorted = false;
      last = rank;
      entries.push(entry);
    }
    if (sorted) return entries;
    return entries.sort((a, b) => this.#answers.rank(a.source) - this.#answers.rank(b.source));
  }

  /** As first seen. */
  all(): readonly Member[] {
    return [...this.#entries.values()].map((entry) => entry.member);
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
    const renamed = new Set<string>();
    for (const [id, { candidate }] of present) {
      const entry = this.#entries.get(id);
      if (!entry || entry.candidate.name === candidate.name) continue;
      this.#names.release(entry.member.snapshot.name);
      renamed.add(id);
    }
    for (const [id, found] of present) {
      const entry = this.#entries.get(id);
      if (entry) {
        this.#describe(entry, found, renamed.has(id));
        transitions.push(...this.#tell(id, { kind: 'discovery', present: true, why: reasons.present }, now));
      } else {
        transitions.push(this.#add(id, found, reasons.present, now));
      }
    }
    return transitions;
  }

  #add(id: string, found: Found, why: string, now: number): Transition {
    const member = newMember(found.candidate, this.#names.take(found.candidate.name, id), why, now);
    this.#put({ ...found, member });
    return { member, from: 'new', to: 'open', source: 'discovery', why, ended: undefined, at: now };
  }

  #describe(entry: Entry, found: Found, renamed: boolean): void {
    const { id, snapshot } = entry.member;
    const name = renamed ? this.#names.take(found.candidate.name, id) : snapshot.name;
    this.#put({ ...found, member: described(entry.member, found.candidate, name) });
  }

  #tell(id: string, event: ServerEvent, now: number): readonly Transition[] {
    const entry = this.#entries.get(id);
    if (!entry) return [];
    const member = afterEvent(entry.member, event, now, entry.candidate.drain);
    if (member === entry.member) return [];
    this.#put({ ...entry, member });
    const transition = transitionOf(entry.member, member, event, now);
    return transition ? [transition] : [];
  }

  /** Keeps it in the place it has had since it was first seen, or forgets it when it is gone. */
  #put(entry: Entry): void {
    const { id, state, snapshot } = entry.member;
    this.#stale = true;
    if (isGone(state)) {
      this.#entries.delete(id);
      this.#names.release(snapshot.name);
    } else {
      this.#entries.set(id, entry);
    }
  }
}

/** A list of sources brings no new servers, it can only take some away. */
const REMOVED: Reasons = { present: '', absent: () => 'removed from the configuration' };
