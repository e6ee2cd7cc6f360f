import { type ServerTraits, sameTraits, serverId } from './server.ts';

/** One server as a source of the backend says it should be. Its name need not be unique. */
export interface Candidate extends ServerTraits {
  readonly address: string;
  readonly port: number;
  /** Which instance it is, where a registry says so: see {@link serverId}. */
  readonly instance?: string | undefined;
  /** Clients belong to it: while an operator drains it they still come. */
  readonly sticky?: boolean | undefined;
  /** How long it may finish its work once it may have no new work, ms; 0: not at all. */
  readonly drain: number;
  /** It gets no work until health has spoken for it. */
  readonly probeFirst?: boolean | undefined;
  /** When health speaks against it, its work is ended at once: `on-marked-down shutdown-sessions`. */
  readonly endOnDown?: boolean | undefined;
}

/** What holds for a server, and the source that says so. */
export interface Found {
  readonly source: string;
  readonly candidate: Candidate;
}

/** The last answer of each source, in the order in which sources count. */
export class Answers {
  readonly #bySource = new Map<string, Map<string, Candidate>>();
  readonly #ranks = new Map<string, number>();

  /** Replaces the list of sources. Returns the ids about which something may have changed, sorted. */
  setSources(keys: readonly string[]): readonly string[] {
    const ids = this.#ids();
    this.#ranks.clear();
    for (const key of new Set(keys)) this.#ranks.set(key, this.#ranks.size);
    for (const source of this.#bySource.keys()) {
      if (!this.#ranks.has(source)) this.#bySource.delete(source);
    }
    return ids;
  }

  /** Replaces the answer of one source. Returns the ids about which it now says something else, sorted. */
  put(source: string, candidates: readonly Candidate[]): readonly string[] {
    if (!this.#ranks.has(source)) return [];
    const before = this.#of(source);
    const after = new Map<string, Candidate>();
    const changed: string[] = [];
    for (const candidate of candidates) {
      const id = idOf(candidate);
      if (after.has(id)) continue;
      after.set(id, candidate);
      if (!same(before.get(id), candidate)) changed.push(id);
    }
    this.#bySource.set(source, after);
    for (const id of before.keys()) {
      if (!after.has(id)) changed.push(id);
    }
    return changed.sort();
  }

  /**
   * Changes the answer of one source: `said` are new or not as they were, `gone` are ids it has no longer. Returns what
   * {@link put} does, in a time that depends on the change only.
   */
  patch(source: string, said: readonly Candidate[], gone: readonly string[]): readonly string[] {
    if (!this.#ranks.has(source)) return [];
    const answer = this.#of(source);
    this.#bySource.set(source, answer);
    const changed = new Set<string>();
    for (const id of gone) {
      if (answer.delete(id)) changed.add(id);
    }
    for (const candidate of said) {
      const id = idOf(candidate);
      if (!same(answer.get(id), candidate)) changed.add(id);
      answer.set(id, candidate);
    }
    return [...changed].sort();
  }

  /** What the first source that has this server says of it; undefined: none has it. */
  find(id: string): Found | undefined {
    for (const source of this.#ranks.keys()) {
      const candidate = this.#bySource.get(source)?.get(id);
      if (candidate) return { source, candidate };
    }
    return undefined;
  }

  /** Place of a source in the order; one that is no longer there comes after all others. */
  rank(source: string): number {
    return this.#ranks.get(source) ?? this.#ranks.size;
  }

  #of(source: string): Map<string, Candidate> {
    return this.#bySource.get(source) ?? new Map<string, Candidate>();
  }

  #ids(): readonly string[] {
    const ids = new Set<string>();
    for (const answer of this.#bySource.values()) {
      for (const id of answer.keys()) ids.add(id);
    }
    return [...ids].sort();
  }
}

/** The identity of the server that a candidate stands for. */
export function idOf({ address, port, instance }: Candidate): string {
  return serverId(address, port, instance);
}

function same(a: Candidate | undefined, b: Candidate): boolean {
  if (!a) return false;
  return (
    sameTraits(a, b) &&
    a.address === b.address &&
    a.port === b.port &&
    a.drain === b.drain &&
    a.sticky === b.sticky &&
    a.probeFirst === b.probeFirst &&
    a.endOnDown === b.endOnDown
  );
}
