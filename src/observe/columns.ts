/**
 * The statistics of one kind of object: each column once, for everything that shows it. Names are HAProxy's
 * (management manual, section 9.1; for metrics its Prometheus exporter), so that what reads HAProxy's statistics
 * reads ours. A column that Vane has no value for is not in the table.
 */
export type Column<Row> = ValueColumn<Row> | StateColumn<Row>;

interface NamedColumn {
  /** HAProxy's name of the column in CSV. */
  readonly csv: string;
  /** The metric, without its prefix (`haproxy_backend_`). */
  readonly metric: string;
  readonly help: string;
}

export interface ValueColumn<Row> extends NamedColumn {
  readonly type: 'counter' | 'gauge';
  /** CSV has milliseconds; metrics have seconds. */
  readonly unit?: 'ms';
  /** Columns of one metric that differ in this label. */
  readonly label?: Readonly<Record<string, string>>;
  /** Undefined: this object has no such value. */
  readonly read: (row: Row) => number | undefined;
}

/** A word in CSV; in metrics a series for every state there is, which counts how often the object has it. */
export interface StateColumn<Row> extends NamedColumn {
  readonly states: readonly string[];
  /** Undefined: this object has no such state. */
  readonly read: (row: Row) => readonly string[] | undefined;
}

/** HAProxy has these columns only where requests are understood. */
export function inHttp<Row extends { readonly mode: 'http' | 'tcp' }>(
  read: (row: Row) => number | undefined,
): (row: Row) => number | undefined {
  return (row) => (row.mode === 'http' ? read(row) : undefined);
}
