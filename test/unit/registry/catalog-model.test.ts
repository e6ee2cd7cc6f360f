import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Change, Check, Instance, RegistryNode } from '../../../src/registry/model.ts';
import type { Query } from '../../../src/registry/reader.ts';
import {
  committing,
  deleteCheck,
  deleteNode,
  deleteService,
  putCheck,
  putNode,
  putService,
} from '../../helpers/registry-rows.ts';

/**
 * The catalog said once more, as simply as can be: plain lists, every answer searched for anew, and an index that
 * moves whenever the answer it belongs to reads differently than before.
 */
class NaiveCatalog {
  nodes: RegistryNode[] = [];
  services: Instance[] = [];
  checks: Check[] = [];
  index = 10;

  apply(change: Change, index: number): void {
    this.index = index;
    switch (change.op) {
      case 'put-node':
        this.nodes = put(this.nodes, change.node, (row) => same(row.node, change.node.node), index);
        return;
      case 'put-service': {
        const { node, id } = change.service;
        if (!this.nodes.some((row) => same(row.node, node))) return;
        this.services = put(
          this.services,
          change.service,
          (row) => same(row.node, node) && same(row.id, id),
          index,
        );
        return;
      }
      case 'put-check': {
        const { node, id, serviceId } = change.check;
        if (!this.nodes.some((row) => same(row.node, node))) return;
        if (serviceId !== '' && !this.services.some((row) => same(row.node, node) && same(row.id, serviceId)))
          return;
        this.checks = put(
          this.checks,
          change.check,
          (row) => same(row.node, node) && same(row.id, id),
          index,
        );
        return;
      }
      case 'delete-node':
        this.nodes = this.nodes.filter((row) => !same(row.node, change.node));
        this.services = this.services.filter((row) => !same(row.node, change.node));
        this.checks = this.checks.filter((row) => !same(row.node, change.node));
        return;
      case 'delete-service':
        this.services = this.services.filter(
          (row) => !(same(row.node, change.node) && same(row.id, change.id)),
        );
        this.checks = this.checks.filter(
          (row) => !(same(row.node, change.node) && same(row.serviceId, change.id)),
        );
        return;
      case 'delete-check':
        this.checks = this.checks.filter((row) => !(same(row.node, change.node) && same(row.id, change.id)));
    }
  }

  entries(service: string) {
    return sorted(
      this.services.filter((row) => same(row.service, service)),
      (row) => [row.node, row.id],
    ).map((instance) => {
      const here = sorted(
        this.checks.filter((check) => same(check.node, instance.node)),
        (check) => [check.id],
      );
      return {
        node: this.nodes.find((row) => same(row.node, instance.node)),
        instance,
        checks: [
          ...here.filter((check) => check.serviceId === ''),
          ...here.filter((check) => check.serviceId !== '' && same(check.serviceId, instance.id)),
        ],
      };
    });
  }

  /** What a query is about: its watcher is woken when this reads differently. */
  about(query: Query): unknown {
    switch (query.kind) {
      case 'health-service':
        return this.entries(query.service);
      case 'catalog-service':
        return this.entries(query.service).map(({ node, instance }) => ({ node, instance }));
      case 'services':
        return this.services;
      case 'nodes':
        return this.nodes;
      case 'node':
        return [
          this.nodes.find((row) => same(row.node, query.node)),
          this.services.filter((row) => same(row.node, query.node)),
        ];
      case 'health-node':
        return this.checks.filter((row) => same(row.node, query.node));
      case 'health-checks':
        return this.checks.filter((row) => same(row.serviceName, query.service));
      case 'health-state':
        return this.checks;
      default:
        throw new Error(`${query.kind} has a model of its own`);
    }
  }
}

function put<T extends { createIndex: number; modifyIndex: number }>(
  rows: T[],
  row: Omit<T, 'createIndex' | 'modifyIndex'>,
  isIt: (row: T) => boolean,
  index: number,
): T[] {
  const at = rows.findIndex(isIt);
  const before = rows[at];
  const after = { ...row, createIndex: before?.createIndex ?? index, modifyIndex: index } as T;
  if (!before) return [...rows, after];
  if (JSON.stringify({ ...before, modifyIndex: 0 }) === JSON.stringify({ ...after, modifyIndex: 0 }))
    return rows;
  return rows.map((old, i) => (i === at ? after : old));
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function sorted<T>(rows: readonly T[], keys: (row: T) => string[]): T[] {
  const key = (row: T) =>
    keys(row)
      .map((part) => `${part.toLowerCase()}\0`)
      .join('');
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

const NODES = ['n1', 'N2'];
const SERVICES = ['web', 'db'];
const IDS = ['a', 'B', 'b'];
const CHECKS = ['c1', 'C2'];

const QUERIES: Query[] = [
  ...[...SERVICES, 'none'].flatMap((service): Query[] => [
    { kind: 'health-service', service },
    { kind: 'catalog-service', service },
    { kind: 'health-checks', service },
  ]),
  ...[...NODES, 'none'].flatMap((node): Query[] => [
    { kind: 'node', node },
    { kind: 'health-node', node },
  ]),
  { kind: 'services' },
  { kind: 'nodes' },
  { kind: 'health-state' },
];

const node = fc.constantFrom(...NODES);
const id = fc.constantFrom(...IDS);
const service = fc.constantFrom(...SERVICES, 'WEB');
const check = fc.constantFrom(...CHECKS);
const status = fc.constantFrom('passing', 'critical');

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(node, fc.constantFrom('10.0.0.1', '10.0.0.2'))
      .map(([n, address]) => putNode(n, { address })),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(node, id, service, fc.constantFrom(80, 81))
      .map(([n, i, s, port]) => putService(n, i, s, { port })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(node, check, status).map(([n, c, s]) => putCheck(n, c, undefined, { status: s })),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(node, check, id, service, status)
      .map(([n, c, i, s, st]) => putCheck(n, c, { id: i, service: s }, { status: st })),
  },
  { weight: 1, arbitrary: node.map(deleteNode) },
  { weight: 2, arbitrary: fc.tuple(node, id).map(([n, i]) => deleteService(n, i)) },
  { weight: 2, arbitrary: fc.tuple(node, check).map(([n, c]) => deleteCheck(n, c)) },
);

/** Some nodes from the start, or too much would fall on none. */
const commits = fc
  .array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 25 })
  .map((rest) => [NODES.map((n) => putNode(n)), ...rest]);

const read = (value: unknown) => JSON.stringify(value);

test('whatever is committed, the catalog reads, moves its indexes and wakes as the naive one does', () => {
  fc.assert(
    fc.property(commits, (commits) => {
      const { catalog, commit } = committing(10);
      const naive = new NaiveCatalog();
      const woken = new Set<Query>();
      for (const query of QUERIES) catalog.watch(query, () => woken.add(query));
      let extinction = 10;
      const serviceIndex = new Map<string, number>();
      const reported = new Map(QUERIES.map((query) => [query, catalog.indexOf(query)]));

      for (const changes of commits) {
        woken.clear();
        const index = commit(...changes);
        const expected = new Set<Query>();
        for (const change of changes) {
          const before = new Map(QUERIES.map((query) => [query, read(naive.about(query))]));
          naive.apply(change, index);
          for (const query of QUERIES) {
            if (read(naive.about(query)) === before.get(query)) continue;
            expected.add(query);
            if (query.kind !== 'health-service') continue;
            serviceIndex.set(query.service, index);
            if (naive.entries(query.service).length === 0) extinction = index;
          }
        }

        expect(woken).toEqual(expected);
        expect(catalog.index).toBe(index);
        for (const service of [...SERVICES, 'none']) {
          const entries = naive.entries(service);
          expect(catalog.entries(service)).toEqual({
            index: entries.length > 0 ? serviceIndex.get(service) : extinction,
            value: entries,
          });
        }
        expect(catalog.nodes().value).toEqual(sorted(naive.nodes, (row) => [row.node]));
        expect(catalog.checksInState('any').value).toEqual(sorted(naive.checks, (row) => [row.node, row.id]));
        expect(catalog.size).toBe(naive.nodes.length + naive.services.length + naive.checks.length);
        for (const query of QUERIES) {
          const now = catalog.indexOf(query);
          const last = reported.get(query) ?? 0;
          // Never backwards; and whoever is woken finds a higher index than the one it had.
          expect(now).toBeGreaterThanOrEqual(last);
          if (woken.has(query)) expect(now).toBe(index);
          reported.set(query, now);
        }
      }
    }),
    { numRuns: 300 },
  );
});
