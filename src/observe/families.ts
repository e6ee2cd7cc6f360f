import type { Column, StateColumn, ValueColumn } from './columns.ts';
import type { Family, Labels, Sample } from './exposition.ts';

/** One row of statistics and the labels of its series. */
export interface Labelled<Row> {
  readonly labels: Labels;
  readonly row: Row;
}

/** A table of columns over its rows, as metrics. */
export function familiesOf<Row>(
  prefix: string,
  columns: readonly Column<Row>[],
  rows: readonly Labelled<Row>[],
): readonly Family[] {
  return columns.flatMap((column, index) => {
    const name = `${prefix}${column.metric}`;
    if ('states' in column) {
      return [{ name, help: column.help, type: 'gauge', samples: () => stateSamples(column, rows) }];
    }
    // Columns that are one metric are told together, where the first of them stands.
    if (columns.findIndex(({ metric }) => metric === column.metric) !== index) return [];
    const together = columns.filter((other) => other.metric === column.metric).filter(isValue);
    const { help, type } = column;
    return [{ name, help, type, samples: () => together.flatMap((one) => valueSamples(one, rows)) }];
  });
}

function isValue<Row>(column: Column<Row>): column is ValueColumn<Row> {
  return 'type' in column;
}

function valueSamples<Row>(column: ValueColumn<Row>, rows: readonly Labelled<Row>[]): Sample[] {
  const samples: Sample[] = [];
  for (const { labels, row } of rows) {
    const value = column.read(row);
    if (value === undefined) continue;
    samples.push({
      labels: column.label ? { ...labels, ...column.label } : labels,
      value: column.unit === 'ms' ? value / 1000 : value,
    });
  }
  return samples;
}

function stateSamples<Row>(column: StateColumn<Row>, rows: readonly Labelled<Row>[]): Sample[] {
  const samples: Sample[] = [];
  for (const { labels, row } of rows) {
    const present = column.read(row);
    if (!present) continue;
    const counts = new Map<string, number>();
    for (const state of present) counts.set(state, (counts.get(state) ?? 0) + 1);
    for (const state of column.states) {
      samples.push({ labels: { ...labels, state }, value: counts.get(state) ?? 0 });
    }
  }
  return samples;
}
