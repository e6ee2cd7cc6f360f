import type { CatalogReader, Query } from '../registry/reader.ts';
import type { AnswerReader } from './lookup.ts';

/** What an answer was made of. */
export interface Sources {
  /** False from when something in it has changed. */
  areCurrent(): boolean;
}

/** Notes what is read from the registry while an answer is made. */
export class RecordedReader implements AnswerReader {
  readonly #reader: CatalogReader;
  #reads: Read[] = [];

  constructor(reader: CatalogReader) {
    this.#reader = reader;
  }

  get self(): string {
    return this.#reader.self;
  }

  get datacenter(): string {
    return this.#reader.datacenter;
  }

  get index(): number {
    const index = this.#reader.index;
    this.#reads.push({ query: undefined, index });
    return index;
  }

  get queries(): AnswerReader['queries'] {
    this.#note({ kind: 'queries' });
    return this.#reader.queries;
  }

  entries(service: string) {
    this.#note({ kind: 'health-service', service });
    return this.#reader.entries(service);
  }

  services() {
    this.#note({ kind: 'services' });
    return this.#reader.services();
  }

  nodes() {
    this.#note({ kind: 'nodes' });
    return this.#reader.nodes();
  }

  node(name: string) {
    this.#note({ kind: 'node', node: name });
    return this.#reader.node(name);
  }

  /** Everything read since the last call. */
  take(): Sources {
    const sources = new ReadSources(this.#reader, this.#reads);
    this.#reads = [];
    return sources;
  }

  #note(query: Query): void {
    this.#reads.push({ query, index: this.#reader.indexOf(query) });
  }
}

interface Read {
  /** Undefined: everything. */
  readonly query: Query | undefined;
  readonly index: number;
}

class ReadSources implements Sources {
  readonly #reader: CatalogReader;
  readonly #reads: readonly Read[];
  /** The registry's index when they were found current the last time. */
  #checkedAt: number;

  constructor(reader: CatalogReader, reads: readonly Read[]) {
    this.#reader = reader;
    this.#reads = reads;
    this.#checkedAt = reader.index;
  }

  areCurrent(): boolean {
    const now = this.#reader.index;
    if (now === this.#checkedAt) return true;
    for (const { query, index } of this.#reads) {
      if ((query === undefined ? now : this.#reader.indexOf(query)) !== index) return false;
    }
    this.#checkedAt = now;
    return true;
  }
}
