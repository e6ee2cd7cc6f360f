import type { Outcome } from '../measure.ts';
import type { Compared } from '../scenarios/scenario.ts';
import type { Verdict } from './bars.ts';
import { type Row, rowsOf, type Spread } from './statistics.ts';

/** Text in rows and columns; the first row is the head. */
export type Table = readonly (readonly string[])[];

const COMPARED: { readonly [K in Compared]: string } = {
  perSecond: 'per second',
  perCpuSecond: 'per CPU-second',
  p99Ms: 'p99',
  bytesPerConnection: 'KB per connection',
};

/** The table of one scenario, of those columns that it has figures for. */
export function scenarioTable(outcome: Outcome): Table {
  const rows = rowsOf(outcome);
  const columns = COLUMNS.filter(({ of }) => rows.some((row) => of(row) !== undefined));
  return [
    ['', ...columns.map(({ title }) => title), `${COMPARED[outcome.scenario.compared]} ÷ HAProxy's`],
    ...rows.map((row) => [
      row.title,
      ...columns.map(({ of }) => of(row) ?? '–'),
      row.failure === undefined ? ratioText(row.toHaproxy) : `failed: ${firstLine(row.failure)}`,
    ]),
  ];
}

interface Column {
  readonly title: string;
  of(row: Row): string | undefined;
}

const COLUMNS: readonly Column[] = [
  { title: 'per second', of: ({ figures }) => whole(figures.perSecond?.median) },
  { title: 'peak', of: ({ figures }) => whole(figures.peakPerSecond?.median) },
  { title: 'p50 ms', of: ({ figures }) => figures.p50Ms?.median.toFixed(2) },
  { title: 'p99 ms', of: ({ figures }) => figures.p99Ms?.median.toFixed(2) },
  { title: 'p99 without proxy', of: ({ figures }) => figures.directP99Ms?.median.toFixed(2) },
  { title: 'CPU', of: ({ figures }) => percent(figures.cpuShare?.median) },
  { title: 'per CPU-second (min–max)', of: ({ figures }) => withEnds(figures.perCpuSecond, whole) },
  {
    title: 'KB per connection (min–max)',
    of: ({ figures }) => withEnds(figures.bytesPerConnection, kilobytes),
  },
  { title: 'RSS MB before', of: ({ figures }) => megabytes(figures.rssBytesBefore) },
  { title: 'RSS MB', of: ({ figures }) => megabytes(figures.rssBytes) },
  { title: 'errors', of: ({ figures }) => whole(figures.errors?.max) },
];

export function verdictTable(all: readonly Verdict[]): Table {
  return [
    ['bar', 'wanted', 'measured', ''],
    ...all.map(({ text, bar, figure, verdict }) => [text, bar, figure ?? '–', verdict]),
  ];
}

/** For the terminal: columns under each other, the first to the left and the others to the right. */
export function plain(table: Table): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  return table
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function markdown(table: Table): string {
  const [head = [], ...rows] = table;
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? '---|' : '--:|')).join('')}`, ...rows.map(line)].join(
    '\n',
  );
}

export function ratioText(spread: Spread | undefined): string {
  if (spread === undefined) return '–';
  const two = (value: number) => value.toFixed(2);
  return `${two(spread.median)} (${two(spread.min)}–${two(spread.max)})`;
}

function withEnds(
  spread: Spread | undefined,
  text: (value: number | undefined) => string | undefined,
): string | undefined {
  return spread && `${text(spread.median)} (${text(spread.min)}–${text(spread.max)})`;
}

/** With a decimal where there is less than a hundred, such as of large bodies. */
function whole(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  const digits = value < 100 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function percent(share: number | undefined): string | undefined {
  return share === undefined ? undefined : `${Math.round(share * 100)} %`;
}

function megabytes(bytes: Spread | undefined): string | undefined {
  return whole(bytes && bytes.median / 2 ** 20);
}

function kilobytes(bytes: number | undefined): string | undefined {
  return bytes === undefined ? undefined : (bytes / 1024).toFixed(1);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.slice(0, 100) ?? '';
}
