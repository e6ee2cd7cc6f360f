import { fold } from './fold.ts';
import type { Session } from './model.ts';
import type { AtIndex, SessionReader } from './reader.ts';
import type { SessionEffect, SessionTable } from './session-table.ts';

/** Sessions as they are asked for. As in Consul, all questions share one index; what wakes is each its own. */
export class SessionIndex implements SessionReader {
  readonly #table: SessionTable;
  #index = 1;

  constructor(table: SessionTable) {
    this.#table = table;
  }

  get index(): number {
    return this.#index;
  }

  get(id: string): AtIndex<Session | undefined> {
    return { index: this.#index, value: this.#table.get(id) };
  }

  all(): AtIndex<readonly Session[]> {
    return { index: this.#index, value: this.#table.all() };
  }

  ofNode(node: string): AtIndex<readonly Session[]> {
    return { index: this.#index, value: this.#table.ofNode(node) };
  }

  naming(node: string, check: string): readonly Session[] {
    return this.#table.naming(node, check);
  }

  /** Takes in what happened to a session, and adds the topics that it concerns. */
  reflect({ before, after }: SessionEffect, index: number, touched: Set<string>): void {
    const session = after ?? before;
    if (!session) return;
    this.#index = index;
    touched.add(SESSIONS).add(sessionTopic(session.id)).add(nodeSessionsTopic(session.node));
  }

  /** Everything may have changed up to `floor`. */
  reset(floor: number): void {
    this.#index = floor;
  }
}

export const SESSIONS = 'sessions';

export function sessionTopic(id: string): string {
  return `session:${id}`;
}

export function nodeSessionsTopic(node: string): string {
  return `node-sessions:${fold(node)}`;
}
