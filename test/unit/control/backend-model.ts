import type { OperatorMode, Work } from '../../../src/balance/state.ts';

/** What a backend's servers are, worked out anew after every step, in the slow and simple way. */
export class BackendModel {
  /** What a look-up of each name finds at present; `failing`: nothing can be said. */
  readonly names = new Map<string, readonly string[] | 'failing'>();
  /** Entries of the configuration, in order, and after them those that a reload took away and that still count. */
  config: readonly Entry[] = [];
  leaving: readonly Entry[] = [];
  /** The last good answer of each entry. */
  readonly answers = new Map<string, readonly string[]>();
  readonly servers = new Map<string, ModelServer>();
  /** Operators' words about servers that are gone. */
  readonly #remembered = new Map<string, OperatorMode>();
  /** Names that a reload brought and that have not answered yet. */
  #awaited = new Set<string>();
  readonly #drain: number;

  constructor(drain: number) {
    this.#drain = drain;
  }

  /** Names that are there from the beginning keep nothing else alive. */
  start(first: readonly Entry[]): void {
    this.reload(first);
    this.#awaited.clear();
  }

  /** A failure says nothing; an answer replaces the one before. */
  lookUp(name: string): void {
    const found = this.names.get(name);
    if (!found || found === 'failing' || !this.#counts(name)) return;
    this.answers.set(name, found);
    this.#awaited.delete(name);
  }

  /** What a reload takes away counts until every name that it brings has answered. */
  reload(next: readonly Entry[]): void {
    const has = (entries: readonly Entry[], key: string) => entries.some((entry) => entry.key === key);
    const left = this.config.filter(({ key }) => !has(next, key));
    const brought = next.filter(({ key }) => !has(this.config, key));
    this.leaving = [...this.leaving.filter(({ key }) => !has(next, key)), ...left];
    this.config = next;
    for (const { key } of left) this.#awaited.delete(key);
    for (const { key, address } of brought) {
      if (address) this.answers.set(key, [address]);
      else if (!this.answers.has(key)) this.#awaited.add(key);
    }
    for (const { key, address } of next) if (!address) this.lookUp(key);
  }

  /** @param now clock ms */
  settle(now: number): void {
    if (this.#awaited.size === 0) this.leaving = [];
    for (const key of this.answers.keys()) if (!this.#counts(key)) this.answers.delete(key);
    const present = new Set(this.entries.flatMap(({ key }) => this.answers.get(key) ?? []));
    for (const id of present) {
      if (this.servers.has(id)) continue;
      const mode = this.#remembered.get(id) ?? 'ready';
      this.servers.set(id, { present: true, up: true, mode, work: 'closed', deadline: 0, held: 0, given: 0 });
    }
    for (const [id, server] of this.servers) {
      server.present = present.has(id);
      // Who takes new work:
      if (server.present && server.up && server.mode === 'ready') server.work = 'open';
      // who finishes old work:
      else if (server.work === 'open') {
        server.work = 'draining';
        server.deadline = now + this.#drain;
      }
      if (server.work === 'draining' && (server.held === 0 || now >= server.deadline)) server.work = 'closed';
      // The data plane knows it no longer: what it still had was cut, what it had counted is gone.
      if (server.work === 'closed') Object.assign(server, { held: 0, given: 0 });
      // Who is gone:
      if (server.work === 'closed' && !server.present) {
        this.servers.delete(id);
        this.#remembered.set(id, server.mode);
      }
    }
  }

  /** Why a server does not take new work; undefined: it does. */
  reason({ mode, present, up }: ModelServer): 'operator' | 'discovery' | 'health' | undefined {
    if (mode !== 'ready') return 'operator';
    if (!present) return 'discovery';
    return up ? undefined : 'health';
  }

  /** The weight that the first entry which has it says. */
  weight(id: string): number | undefined {
    return this.entries.find(({ key }) => this.answers.get(key)?.includes(id))?.weight;
  }

  get entries(): readonly Entry[] {
    return [...this.config, ...this.leaving];
  }

  #counts(key: string): boolean {
    return this.entries.some((entry) => entry.key === key);
  }
}

/** An entry of `servers`: a name, or an address, which is its own answer. */
export interface Entry {
  readonly key: string;
  readonly weight: number;
  readonly address?: string;
}

export interface ModelServer {
  present: boolean;
  up: boolean;
  mode: OperatorMode;
  work: Work;
  deadline: number;
  /** Work under way, and work given since the data plane has known it. */
  held: number;
  given: number;
}
