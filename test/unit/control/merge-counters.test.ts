import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addPast, addPeaks, mergeCounters, NOTHING, pruned } from '../../../src/control/merge-counters.ts';
import {
  type BackendCounters,
  DURATION_BOUNDS,
  type FrontendCounters,
  type PlaneCounters,
  type ServerCounters,
} from '../../../src/proxy/plane/counters.ts';
import { backendRow, frontendRow, serverRow } from './counter-rows.ts';

type Row = FrontendCounters | BackendCounters | ServerCounters;

const GAUGES = [
  'scur',
  'rate',
  'qcur',
  'reqRate',
  'connRate',
  'slim',
  'idleConnections',
  'usedConnections',
  'ejected',
];
const PEAKS: Readonly<Record<string, string>> = {
  ...{ smax: 'scur', rateMax: 'rate', qmax: 'qcur', reqRateMax: 'reqRate', connRateMax: 'connRate' },
  ...{ qtimeMax: '', ctimeMax: '', rtimeMax: '', ttimeMax: '' },
};
/** What all planes have alike. */
const SHARED = ['tableEntries'];
const MEANS = ['qtime', 'ctime', 'rtime', 'ttime'];

const count = fc.nat(1_000);

/** A row with a number of its own in every field. */
function filled<T extends Row>(row: T): fc.Arbitrary<T> {
  const fields = Object.entries(row).filter(([, value]) => typeof value === 'number');
  return fc
    .array(count, { minLength: fields.length, maxLength: fields.length })
    .map((values) => ({ ...row, ...Object.fromEntries(fields.map(([name], i) => [name, values[i]])) }));
}

const duration = fc
  .array(count, { minLength: DURATION_BOUNDS.length + 1, maxLength: DURATION_BOUNDS.length + 1 })
  .map((buckets) => ({ buckets, sum: buckets[0] ?? 0, count: buckets.reduce((a, b) => a + b, 0) }));

const servers = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c'))
  .chain((ids) => fc.tuple(...ids.map((id) => filled(serverRow({ id })))));

const plane: fc.Arbitrary<PlaneCounters> = fc.record({
  connections: count,
  frontends: fc
    .uniqueArray(fc.constantFrom('www', 'api'))
    .chain((names) => fc.tuple(...names.map((name) => filled(frontendRow({ name }))))),
  backends: fc
    .uniqueArray(fc.constantFrom('web', 'db'))
    .chain((names) =>
      fc.tuple(
        ...names.map((name) =>
          fc
            .tuple(filled(backendRow({ name })), duration, servers)
            .map(([row, histogram, rows]) => ({ ...row, duration: histogram, servers: rows })),
        ),
      ),
    ),
});
const planes = fc.array(plane, { minLength: 1, maxLength: 4 });

/** Every row of counters under a name of its own. */
function rowsOf({ frontends, backends }: PlaneCounters): ReadonlyMap<string, Row> {
  return new Map<string, Row>([
    ...frontends.map((row) => [`frontend ${row.name}`, row] as const),
    ...backends.map((row) => [`backend ${row.name}`, row] as const),
    ...backends.flatMap((row) => row.servers.map((server) => [`${row.name}/${server.id}`, server] as const)),
  ]);
}

function read(row: Row | undefined, field: string): number {
  return row ? Number(Reflect.get(row, field)) : 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function numbersOf(row: Row): readonly string[] {
  return Object.entries(row).flatMap(([field, value]) => (typeof value === 'number' ? [field] : []));
}

test('the merged counters of planes are their sums, their peaks the largest and at least what is open now', () => {
  fc.assert(
    fc.property(planes, (all) => {
      const merged = mergeCounters(all, NOTHING);
      const rows = all.map(rowsOf);
      expect(merged.connections).toBe(sum(all.map(({ connections }) => connections)));
      expect([...rowsOf(merged).keys()].sort()).toEqual(
        [...new Set(rows.flatMap((one) => [...one.keys()]))].sort(),
      );
      for (const [name, row] of rowsOf(merged)) {
        for (const field of numbersOf(row)) {
          const parts = rows.map((one) => read(one.get(name), field));
          const where = `${name} ${field}`;
          if (field in PEAKS) {
            const now = sum(rows.map((one) => read(one.get(name), PEAKS[field] ?? '') || 0));
            expect(read(row, field), where).toBe(Math.max(now, ...parts));
          } else if (field === 'lastSession' || SHARED.includes(field))
            expect(read(row, field), where).toBe(Math.max(...parts));
          else if (MEANS.includes(field)) {
            const there = rows.flatMap((one) => one.get(name) ?? []).map((one) => read(one, field));
            expect(read(row, field), where).toBeLessThanOrEqual(Math.max(...there));
          } else expect(read(row, field), where).toBe(sum(parts));
        }
        if (!('duration' in row)) continue;
        const parts = rows
          .flatMap((one) => one.get(name) ?? [])
          .flatMap((one) => ('duration' in one ? one.duration : []));
        expect(row.duration).toEqual({
          buckets: row.duration.buckets.map((_, i) => sum(parts.map(({ buckets }) => buckets[i] ?? 0))),
          sum: sum(parts.map((part) => part.sum)),
          count: sum(parts.map((part) => part.count)),
        });
      }
    }),
    { numRuns: 50 },
  );
});

test('whichever plane ends, and whatever was shown before, no counter and no peak falls, and no gauge stays', () => {
  fc.assert(
    fc.property(planes, fc.nat(), (all, pick) => {
      const shown = mergeCounters(all, NOTHING);
      const gone = pick % all.length;
      const left = all.toSpliced(gone, 1);
      let past = addPeaks(NOTHING, shown);
      past = addPast(past, all[gone] ?? NOTHING);
      const after = mergeCounters(left, past);
      const present = mergeCounters(left, NOTHING);
      for (const [name, before] of rowsOf(shown)) {
        const row = rowsOf(after).get(name);
        for (const field of numbersOf(before)) {
          const where = `${name} ${field}`;
          if ([...GAUGES, ...MEANS, ...SHARED].includes(field)) {
            expect(read(row, field), where).toBe(read(rowsOf(present).get(name), field));
          } else expect(read(row, field), where).toBe(read(before, field));
        }
        if (row && 'duration' in row && 'duration' in before) expect(row.duration).toEqual(before.duration);
      }
    }),
    { numRuns: 50 },
  );
});

describe('means', () => {
  const merged = (...rows: readonly Partial<BackendCounters>[]) =>
    mergeCounters(
      rows.map((row) => ({ connections: 0, frontends: [], backends: [backendRow(row)] })),
      NOTHING,
    ).backends[0]?.ttime;

  test.each([
    [
      'by the work they are of',
      [
        { stot: 1, ttime: 100 },
        { stot: 3, ttime: 20 },
      ],
      40,
    ],
    [
      'of at most 1024 pieces of it',
      [
        { stot: 1_024, ttime: 100 },
        { stot: 1_000_000, ttime: 20 },
      ],
      60,
    ],
    [
      'not by a plane that has done nothing',
      [
        { stot: 0, ttime: 0 },
        { stot: 5, ttime: 30 },
      ],
      30,
    ],
    ['of nothing are 0', [{}, {}], 0],
  ])('are weighted %s', (_, rows, expected) => {
    expect(merged(...rows)).toBe(expected);
  });
});

test('rows of one name and two modes are two', () => {
  const one = (mode: 'http' | 'tcp') => ({ ...NOTHING, frontends: [frontendRow({ mode, stot: 1 })] });
  expect(mergeCounters([one('http')], addPast(NOTHING, one('tcp'))).frontends).toMatchObject([
    { mode: 'http', stot: 1 },
    { mode: 'tcp', stot: 1 },
  ]);
});

test('what is not configured any more is forgotten', () => {
  const past: PlaneCounters = {
    connections: 0,
    frontends: [frontendRow(), frontendRow({ name: 'old' })],
    backends: [
      backendRow({ servers: [serverRow({ id: 'a' }), serverRow({ id: 'b' })] }),
      backendRow({ name: 'old' }),
    ],
  };
  expect(
    pruned(past, {
      frontend: ({ name }) => name !== 'old',
      backend: ({ name }) => name !== 'old',
      server: (backend, id) => backend === 'web' && id === 'b',
    }),
  ).toEqual({
    connections: 0,
    frontends: [frontendRow()],
    backends: [backendRow({ servers: [serverRow({ id: 'b' })] })],
  });
});
