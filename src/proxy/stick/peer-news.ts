import { z } from 'zod';
import type { StickTableConfig } from '../../config/runtime/stickiness.ts';
import type { StickEntry } from './stick-table.ts';

/** What one node tells the others of a table. */
export interface PeerNews {
  readonly backend: string;
  /** See {@link tableKind}. */
  readonly table: string;
  /** Their `since` is by a clock that all nodes share. */
  readonly entries: readonly StickEntry[];
}

/** Bytes of a text, but that one entry alone may be longer. */
const LARGEST = 64 * 1024;
const MOST_ENTRIES = 2_000;

const NEWS = z.object({
  backend: z.string(),
  table: z.string(),
  entries: z
    .array(z.tuple([z.string(), z.string(), z.number(), z.number().min(0).nullable()]))
    .max(MOST_ENTRIES),
});

/** Entries mean the same only where this is the same. */
export function tableKind({ type, length, serverKey }: StickTableConfig): string {
  return `${type} ${length} ${serverKey}`;
}

/** As texts that are not too long, in the same order. */
export function encodePeerNews({ backend, table, entries }: PeerNews): readonly PeerText[] {
  const texts: PeerText[] = [];
  let pieces: string[] = [];
  let size = 0;
  const flush = () => {
    if (pieces.length === 0) return;
    const head = `{"backend":${JSON.stringify(backend)},"table":${JSON.stringify(table)}`;
    texts.push({ text: `${head},"entries":[${pieces.join(',')}]}`, entries: pieces.length });
    pieces = [];
    size = 0;
  };
  for (const { key, server, since, idle } of entries) {
    const piece = JSON.stringify([
      key,
      server,
      Math.round(since),
      idle === undefined ? null : Math.round(idle),
    ]);
    const bytes = Buffer.byteLength(piece);
    if (size + bytes > LARGEST || pieces.length === MOST_ENTRIES) flush();
    pieces.push(piece);
    size += bytes;
  }
  flush();
  return texts;
}

export interface PeerText {
  readonly text: string;
  /** How many it has. */
  readonly entries: number;
}

/** Undefined for what no Vane has written. */
export function decodePeerNews(text: string): PeerNews | undefined {
  try {
    const { entries, ...rest } = NEWS.parse(JSON.parse(text));
    return {
      ...rest,
      entries: entries.map(([key, server, since, idle]) => {
        return { key, server, since, ...(idle === null ? {} : { idle }) };
      }),
    };
  } catch {
    // Another version of Vane, or somebody by hand: what it means is not known.
    return undefined;
  }
}
