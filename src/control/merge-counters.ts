import type {
  BackendCounters,
  DurationHistogram,
  FrontendCounters,
  PlaneCounters,
  ServerCounters,
  WorkCounters,
} from '../proxy/plane/counters.ts';

/**
 * What becomes of a number when the rows of several planes are put together. `counter`: added, ended planes
 * included. `gauge`: added over the planes there are. `mean`: weighted by the work it is the mean of. `shared`:
 * of what all planes have alike, the largest of those there are. `latest`: the largest. `peak`: the largest, and not less than the gauge it is the peak of: what the planes have at this moment,
 * they have at once.
 */
type Kind<Field> =
  | 'counter'
  | 'gauge'
  | 'mean'
  | 'shared'
  | 'latest'
  | { readonly peakOf: Field | undefined };

type NumberOf<Row> = { [Field in keyof Row]: Row[Field] extends number ? Field : never }[keyof Row] & string;

/** Every number of a row, so that a new one cannot be forgotten. */
type Kinds<Row> = { readonly [Field in NumberOf<Row>]: Kind<NumberOf<Row>> };

/** Largest number of samples that a mean of a plane is the mean of. */
const SAMPLES = 1024;

const SESSION = {
  scur: 'gauge',
  smax: { peakOf: 'scur' },
  stot: 'counter',
  bin: 'counter',
  bout: 'counter',
  rate: 'gauge',
  rateMax: { peakOf: 'rate' },
  hrsp1xx: 'counter',
  hrsp2xx: 'counter',
  hrsp3xx: 'counter',
  hrsp4xx: 'counter',
  hrsp5xx: 'counter',
  hrspOther: 'counter',
} as const;

const FRONTEND: Kinds<FrontendCounters> = {
  ...SESSION,
  slim: 'gauge',
  dreq: 'counter',
  ereq: 'counter',
  reqTot: 'counter',
  reqRate: 'gauge',
  reqRateMax: { peakOf: 'reqRate' },
  connTot: 'counter',
  connRate: 'gauge',
  connRateMax: { peakOf: 'connRate' },
  dcon: 'counter',
  intercepted: 'counter',
  sslFailedHandshake: 'counter',
};

const WORK: Kinds<WorkCounters> = {
  ...SESSION,
  qcur: 'gauge',
  qmax: { peakOf: 'qcur' },
  econ: 'counter',
  eresp: 'counter',
  wretr: 'counter',
  wredis: 'counter',
  lbtot: 'counter',
  reqTot: 'counter',
  cliAbrt: 'counter',
  srvAbrt: 'counter',
  connect: 'counter',
  reuse: 'counter',
  qtime: 'mean',
  ctime: 'mean',
  rtime: 'mean',
  ttime: 'mean',
  qtimeMax: { peakOf: undefined },
  ctimeMax: { peakOf: undefined },
  rtimeMax: { peakOf: undefined },
  ttimeMax: { peakOf: undefined },
  lastSession: 'latest',
};

const BACKEND: Kinds<BackendCounters> = {
  ...WORK,
  noServer: 'counter',
  drainCut: 'counter',
  refusedEarly: 'counter',
  ejections: 'counter',
  retriesRefused: 'counter',
  hedges: 'counter',
  hedgesWon: 'counter',
  tableEntries: 'shared',
};

const SERVER: Kinds<ServerCounters> = {
  ...WORK,
  ejected: 'gauge',
  idleConnections: 'gauge',
  usedConnections: 'gauge',
};

/** What planes have counted that are no more, and the peaks seen so far. */
export const NOTHING: PlaneCounters = { connections: 0, frontends: [], backends: [] };

/** The counters of all planes as if they were one. `past` is of planes that have ended: no counter falls with them. */
export function mergeCounters(planes: readonly PlaneCounters[], past: PlaneCounters): PlaneCounters {
  return {
    connections: sum(planes.map(({ connections }) => connections)),
    frontends: merged(
      planes,
      past,
      ({ frontends }) => frontends,
      keyOf,
      (rows, before) => mergeRows(FRONTEND, rows, before),
    ),
    backends: merged(planes, past, ({ backends }) => backends, keyOf, mergeBackends),
  };
}

/** What is to be remembered of a plane that has ended. */
export function addPast(past: PlaneCounters, ended: PlaneCounters): PlaneCounters {
  const none = mergeCounters([], ended);
  // With all its counters as those of a plane that does nothing at present, it can be added like any other.
  return mergeCounters([none], past);
}

/** What is to be remembered of what was shown last: its peaks, which must not fall when the planes are apart again. */
export function addPeaks(past: PlaneCounters, shown: PlaneCounters): PlaneCounters {
  const peaks: PlaneCounters = {
    connections: 0,
    frontends: shown.frontends.map((row) => uncounted(FRONTEND, row)),
    backends: shown.backends.map((row) => ({
      ...uncounted(BACKEND, row),
      duration: { buckets: [], sum: 0, count: 0 },
      servers: row.servers.map((server) => uncounted(SERVER, server)),
    })),
  };
  return addPast(past, peaks);
}

/** Which rows stand for something. */
interface Keeps {
  readonly frontend: (row: FrontendCounters) => boolean;
  readonly backend: (row: BackendCounters) => boolean;
  readonly server: (backend: string, id: string) => boolean;
}

/** `past` without what is no longer configured. */
export function pruned(past: PlaneCounters, keeps: Keeps): PlaneCounters {
  return {
    connections: 0,
    frontends: past.frontends.filter(keeps.frontend),
    backends: past.backends
      .filter(keeps.backend)
      .map((row) => ({ ...row, servers: row.servers.filter(({ id }) => keeps.server(row.name, id)) })),
  };
}

/** Those of a configuration; undefined: there is none yet. */
export function configured(
  config: { readonly frontends: readonly Named[]; readonly backends: readonly Named[] } | undefined,
  server: Keeps['server'],
): Keeps {
  const frontends = new Set(config?.frontends.map(keyOf));
  const backends = new Set(config?.backends.map(keyOf));
  return { frontend: (row) => frontends.has(keyOf(row)), backend: (row) => backends.has(keyOf(row)), server };
}

interface Named {
  readonly mode: string;
  readonly name: string;
}

function mergeBackends(rows: readonly BackendCounters[], past: BackendCounters | undefined): BackendCounters {
  return {
    ...mergeRows(BACKEND, rows, past),
    duration: mergeDurations([...rows, ...(past ? [past] : [])].map(({ duration }) => duration)),
    servers: merged(
      rows,
      past,
      ({ servers }) => servers,
      ({ id }) => id,
      (servers, before) => mergeRows(SERVER, servers, before),
    ),
  };
}

function mergeDurations(histograms: readonly DurationHistogram[]): DurationHistogram {
  const longest = Math.max(...histograms.map(({ buckets }) => buckets.length));
  return {
    buckets: Array.from({ length: longest }, (_, i) => sum(histograms.map(({ buckets }) => buckets[i] ?? 0))),
    sum: sum(histograms.map((histogram) => histogram.sum)),
    count: sum(histograms.map(({ count }) => count)),
  };
}

/** Puts the rows of one key together; those of the present come first, in their order. */
function merged<Whole, Row>(
  planes: readonly Whole[],
  past: Whole | undefined,
  rowsOf: (whole: Whole) => readonly Row[],
  key: (row: Row) => string,
  merge: (rows: readonly Row[], past: Row | undefined) => Row,
): Row[] {
  const before = new Map((past === undefined ? [] : rowsOf(past)).map((row) => [key(row), row]));
  const present = Map.groupBy(planes.flatMap(rowsOf), key);
  const rows = [...present].map(([name, same]) => merge(same, before.get(name)));
  for (const [name, row] of before) {
    if (!present.has(name)) rows.push(merge([], row));
  }
  return rows;
}

function mergeRows<Row extends object>(kinds: Kinds<Row>, rows: readonly Row[], past: Row | undefined): Row {
  const template = rows[0] ?? past;
  if (!template) throw new Error('there is nothing to merge');
  const read = (row: Row, field: string) => Number(Reflect.get(row, field));
  const numbers = Object.entries<Kind<string>>(kinds).map(([field, kind]) => {
    const values = rows.map((row) => read(row, field));
    const before = past ? read(past, field) : 0;
    switch (kind) {
      case 'counter':
        return [field, sum(values) + before];
      case 'gauge':
        return [field, sum(values)];
      case 'shared':
        return [field, Math.max(0, ...values)];
      case 'latest':
        return [field, Math.max(before, ...values)];
      case 'mean':
        return [
          field,
          mean(
            values,
            rows.map((row) => Math.min(SAMPLES, read(row, 'stot'))),
          ),
        ];
      default: {
        const { peakOf } = kind;
        const now = peakOf === undefined ? 0 : sum(rows.map((row) => read(row, peakOf)));
        return [field, Math.max(before, now, ...values)];
      }
    }
  });
  return { ...template, ...Object.fromEntries(numbers) };
}

function uncounted<Row extends object>(kinds: Kinds<Row>, row: Row): Row {
  const counters = Object.entries<Kind<string>>(kinds).filter(([, kind]) => kind === 'counter');
  return { ...row, ...Object.fromEntries(counters.map(([field]) => [field, 0])) };
}

function mean(values: readonly number[], weights: readonly number[]): number {
  const weight = sum(weights);
  if (weight === 0) return 0;
  return Math.round(sum(values.map((value, i) => value * (weights[i] ?? 0))) / weight);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** One of the other mode is another one. */
function keyOf({ mode, name }: Named): string {
  return `${mode} ${name}`;
}
