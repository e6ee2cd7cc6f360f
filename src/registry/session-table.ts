import { fold } from './fold.ts';
import type { Session } from './model.ts';
import { SortedMap } from './sorted-map.ts';

/** `before` undefined: created; `after` undefined: ended. A session never changes in between. */
export interface SessionEffect {
  readonly table: 'session';
  readonly before: Session | undefined;
  readonly after: Session | undefined;
}

/** The sessions, and which of them a node or a check ends. */
export class SessionTable {
  readonly #sessions = new SortedMap<Session>();
  /** By folded node, then id. */
  readonly #ofNode = new Map<string, SortedMap<Session>>();
  /** By {@link checkKey}, then id. */
  readonly #naming = new Map<string, SortedMap<Session>>();

  get size(): number {
    return this.#sessions.size;
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** By id. */
  all(): readonly Session[] {
    return this.#sessions.values();
  }

  /** By id. */
  ofNode(node: string): readonly Session[] {
    return this.#ofNode.get(fold(node))?.values() ?? [];
  }

  /** Those that end with a check, by id. */
  naming(node: string, check: string): readonly Session[] {
    return this.#naming.get(checkKey(node, check))?.values() ?? [];
  }

  /** The session must not be there yet. */
  put(after: Session): SessionEffect {
    this.#sessions.set(after.id, after);
    add(this.#ofNode, fold(after.node), after);
    for (const check of checksNamedBy(after)) add(this.#naming, checkKey(after.node, check), after);
    return { table: 'session', before: undefined, after };
  }

  delete(id: string): SessionEffect | undefined {
    const before = this.#sessions.delete(id);
    if (!before) return undefined;
    remove(this.#ofNode, fold(before.node), id);
    for (const check of checksNamedBy(before)) remove(this.#naming, checkKey(before.node, check), id);
    return { table: 'session', before, after: undefined };
  }

  clear(): void {
    for (const { id } of this.#sessions.values()) this.delete(id);
  }
}

/** Ids of all checks that a session depends on, whichever field they are in; each once. */
export function checksNamedBy(
  session: Pick<Session, 'checks' | 'nodeChecks' | 'serviceChecks'>,
): readonly string[] {
  const { checks, nodeChecks, serviceChecks } = session;
  return [
    ...new Set([...(checks ?? []), ...(nodeChecks ?? []), ...(serviceChecks ?? []).map(({ id }) => id)]),
  ];
}

function checkKey(node: string, check: string): string {
  return `${fold(node)}\0${fold(check)}`;
}

function add(groups: Map<string, SortedMap<Session>>, key: string, session: Session): void {
  const group = groups.get(key) ?? new SortedMap<Session>();
  group.set(session.id, session);
  groups.set(key, group);
}

function remove(groups: Map<string, SortedMap<Session>>, key: string, id: string): void {
  const group = groups.get(key);
  group?.delete(id);
  if (group?.size === 0) groups.delete(key);
}
