import type { StickTable } from './stick-table.ts';

/** Which entries of a table are meant: that of a key, those of a server, or those that are both; without either, all. */
export interface StickFilter {
  readonly key?: string | undefined;
  /** As the table remembers it: its name, or its address with `srvkey addr`. */
  readonly server?: string | undefined;
}

/** What operators ask of a table, or have done with it (HAProxy's `show table` and `clear table`). */
export interface TableQuestion {
  readonly do: 'show' | 'clear';
  readonly which: StickFilter;
  /** Entries shown, at most. */
  readonly limit: number;
}

export interface TableAnswer {
  /** Entries in the table, before any was cleared. */
  readonly used: number;
  /** Those used last come first. */
  readonly entries: readonly TableRow[];
  readonly cleared: number;
}

export interface TableRow {
  readonly key: string;
  readonly server: string;
  /** Wall-clock ms of when the client was given to that server. */
  readonly since: number;
  /** ms; undefined: it does not end. */
  readonly expiresIn: number | undefined;
}

/** @param now clock ms */
export function answerFor(table: StickTable, question: TableQuestion, now: number): TableAnswer {
  table.sweep(now);
  const used = table.size;
  if (question.do === 'clear') return { used, entries: [], cleared: table.clear(question.which) };
  const entries = table.newest(question.limit, now, question.which).map(({ expiresIn, ...entry }) => ({
    ...entry,
    expiresIn: Number.isFinite(expiresIn) ? Math.round(expiresIn) : undefined,
  }));
  return { used, entries, cleared: 0 };
}

/**
 * The answers of several planes about tables that hold the same, but for the last milliseconds, as that of one.
 * Undefined: none has such a table.
 */
export function mergeAnswers(
  answers: readonly (TableAnswer | undefined)[],
  limit: number,
): TableAnswer | undefined {
  const told = answers.filter((answer) => answer !== undefined);
  if (told.length === 0) return undefined;
  const rows = new Map<string, TableRow>();
  for (const row of told.flatMap(({ entries }) => entries)) {
    const other = rows.get(row.key);
    rows.set(row.key, other ? mergeRows(other, row) : row);
  }
  const ends = ({ expiresIn = Number.POSITIVE_INFINITY }: TableRow) => expiresIn;
  // All live equally long: what was used last ends last. Of those that do not end the order is as it was told.
  const sorted = [...rows.values()].sort((a, b) => (ends(a) === ends(b) ? 0 : ends(b) - ends(a)));
  return {
    used: Math.max(...told.map(({ used }) => used)),
    entries: sorted.slice(0, limit),
    cleared: Math.max(...told.map(({ cleared }) => cleared)),
  };
}

/** As tables decide themselves: see `StickTable.learn`. */
function mergeRows(a: TableRow, b: TableRow): TableRow {
  const isLater = b.since > a.since || (b.since === a.since && b.server < a.server);
  const { server, since } = isLater ? b : a;
  const ends = a.expiresIn === undefined || b.expiresIn === undefined;
  return { key: a.key, server, since, expiresIn: ends ? undefined : Math.max(a.expiresIn, b.expiresIn) };
}
