import type { Member, Transition } from '../balance/members.ts';
import type { ServerFacts } from '../balance/state.ts';

/** One thing that befell a server or a backend, and why. */
export interface HistoryEvent {
  /** Wall-clock ms. */
  readonly at: number;
  /** Who had a say: discovery, health, an operator, a guard, a panic, traffic; or what had been begun came to its end. */
  readonly source: HistorySource;
  /** What was said, in a word or two: `found`, `down`, `maint`, `held back`. */
  readonly says: string;
  /** What it was said upon: `Layer4 connection problem, info: "Connection refused", …, 3 in a row`. */
  readonly why: string;
  /** What the server may do since; undefined: as before. */
  readonly to?: Transition['to'];
}

export type HistorySource = Transition['source'] | 'guard' | 'backend' | 'traffic';

/** The past of one server. */
export interface ServerHistory {
  readonly id: string;
  /** As it was last called. */
  readonly name: string;
  /** The oldest first. */
  readonly events: readonly HistoryEvent[];
}

/** Events that are kept of each server, of the backend itself, and servers that are gone. */
export const EVENTS_KEPT = 32;
export const BACKEND_EVENTS_KEPT = 64;
export const DEPARTED_KEPT = 32;
/** Of what is said, characters. */
const LONGEST_WHY = 300;

interface Entry {
  name: string;
  events: readonly HistoryEvent[];
  facts: ServerFacts | undefined;
}

/** What befell the servers of one backend, and the backend, of late. Bounded, whatever happens. */
export class History {
  readonly #servers = new Map<string, Entry>();
  /** Gone, the longest gone first. */
  readonly #departed = new Map<string, Entry>();
  #backend: readonly HistoryEvent[] = [];

  /**
   * Takes in a step: what has become of the servers with these ids, and the changes that it consists of.
   * @param wall wall-clock ms
   */
  note(
    ids: Iterable<string>,
    get: (id: string) => Member | undefined,
    transitions: readonly Transition[],
    wall: number,
  ): void {
    const byId = Map.groupBy(transitions, ({ member }) => member.id);
    for (const id of new Set([...ids, ...byId.keys()])) this.#step(id, get(id), byId.get(id) ?? [], wall);
  }

  /** What else is to be told of a server that is known. */
  server(id: string, event: HistoryEvent): void {
    const entry = this.#servers.get(id);
    if (entry) add(entry, event);
  }

  /** What is to be told of the backend. */
  backend(event: HistoryEvent): void {
    this.#backend = [...this.#backend, event].slice(-BACKEND_EVENTS_KEPT);
  }

  get events(): readonly HistoryEvent[] {
    return this.#backend;
  }

  of(id: string): ServerHistory | undefined {
    const entry = this.#servers.get(id);
    return entry && { id, name: entry.name, events: entry.events };
  }

  /** Servers that are gone, the last one first. */
  get departed(): readonly ServerHistory[] {
    return [...this.#departed].map(([id, { name, events }]) => ({ id, name, events })).reverse();
  }

  #step(id: string, member: Member | undefined, transitions: readonly Transition[], wall: number): void {
    // What has come and gone within one step has its last words in the transition.
    const last = member ?? transitions.at(-1)?.member;
    if (!last) return;
    const entry = this.#entry(id);
    for (const event of said(entry.facts, last.state.facts, transitions, wall)) add(entry, event);
    entry.facts = last.state.facts;
    entry.name = last.snapshot.name;
    for (const { source, to, why } of transitions) {
      if (source === 'drain') add(entry, { at: wall, source, says: why, why: '', to });
      else if (source === 'panic')
        add(entry, { at: wall, source, says: to === 'open' ? 'on' : 'off', why, to });
    }
    if (member) return;
    this.#servers.delete(id);
    this.#departed.delete(id);
    this.#departed.set(id, entry);
    for (const oldest of this.#departed.keys()) {
      if (this.#departed.size <= DEPARTED_KEPT) break;
      this.#departed.delete(oldest);
    }
  }

  /** One that is back has its past back. */
  #entry(id: string): Entry {
    const known = this.#servers.get(id);
    if (known) return known;
    const entry = this.#departed.get(id) ?? { name: id, events: [], facts: undefined };
    this.#departed.delete(id);
    entry.facts = undefined;
    this.#servers.set(id, entry);
    return entry;
  }
}

function add(entry: Entry, event: HistoryEvent): void {
  entry.events = [...entry.events, { ...event, why: event.why.slice(0, LONGEST_WHY) }].slice(-EVENTS_KEPT);
}

/** What each of the three has newly said of a server, and what came of it. */
function said(
  before: ServerFacts | undefined,
  { discovery, health, operator }: ServerFacts,
  transitions: readonly Transition[],
  at: number,
): readonly HistoryEvent[] {
  const events: HistoryEvent[] = [];
  const tell = (source: keyof ServerFacts, says: string, why: string) => {
    const to = transitions.find((transition) => transition.source === source)?.to;
    events.push({ at, source, says, why, ...(to === undefined ? {} : { to }) });
  };
  if (before?.discovery !== discovery) tell('discovery', discovery.present ? 'found' : 'lost', discovery.why);
  // A new server is up and ready without anybody having said so.
  if (before ? before.health !== health : !health.up) tell('health', health.up ? 'up' : 'down', health.why);
  if (before ? before.operator !== operator : operator.mode !== 'ready') {
    tell('operator', operator.mode, operator.why);
  }
  return events;
}
