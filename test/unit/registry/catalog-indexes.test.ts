import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/registry/model.ts';
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

const web1 = { id: 'web-1', service: 'web' };
const db1 = { id: 'db-1', service: 'db' };

/** Two nodes; web on both, db on n1, cache on n2. */
const WORLD: readonly Change[] = [
  putNode('n1'),
  putNode('n2'),
  putService('n1', 'web-1', 'web'),
  putService('n2', 'web-2', 'web'),
  putService('n1', 'db-1', 'db'),
  putService('n2', 'cache-1', 'cache'),
  putCheck('n1', 'c-web-1', web1),
  putCheck('n1', 'c-node'),
];

const QUERIES = {
  'health web': { kind: 'health-service', service: 'web' },
  'health db': { kind: 'health-service', service: 'db' },
  'health cache': { kind: 'health-service', service: 'cache' },
  'health none': { kind: 'health-service', service: 'none' },
  'catalog web': { kind: 'catalog-service', service: 'web' },
  'catalog db': { kind: 'catalog-service', service: 'db' },
  'catalog cache': { kind: 'catalog-service', service: 'cache' },
  services: { kind: 'services' },
  nodes: { kind: 'nodes' },
  'node n1': { kind: 'node', node: 'n1' },
  'node n2': { kind: 'node', node: 'n2' },
  'node n3': { kind: 'node', node: 'n3' },
  'checks on n1': { kind: 'health-node', node: 'n1' },
  'checks on n2': { kind: 'health-node', node: 'n2' },
  'checks of web': { kind: 'health-checks', service: 'web' },
  'checks of db': { kind: 'health-checks', service: 'db' },
  'all checks': { kind: 'health-state' },
} satisfies Record<string, Query>;

type Name = keyof typeof QUERIES;

function names(): Name[] {
  return Object.keys(QUERIES).filter((name): name is Name => name in QUERIES);
}

/** What a watcher of each query hears of one commit, and whose index it moves. */
function effectOf(changes: readonly Change[]) {
  const { catalog, commit } = committing();
  commit(...WORLD);
  const before = new Map(names().map((name) => [name, catalog.indexOf(QUERIES[name])]));
  const woken: Name[] = [];
  for (const name of names()) catalog.watch(QUERIES[name], () => woken.push(name));
  const index = commit(...changes);
  const moved = names().filter((name) => catalog.indexOf(QUERIES[name]) !== before.get(name));
  for (const name of moved) expect([name, catalog.indexOf(QUERIES[name])]).toEqual([name, index]);
  return { woken: woken.sort(), moved: moved.sort() };
}

/** Queries that report the index of a whole table, whoever of them is woken. */
const CHECKS: Name[] = ['all checks', 'checks of db', 'checks of web', 'checks on n1', 'checks on n2'];
const SERVICES: Name[] = ['services', 'node n1', 'node n2'];

describe('what wakes whom, and what moves which index', () => {
  const cases: [string, Change[], Name[], Name[]][] = [
    [
      'a new instance of a service',
      [putService('n2', 'web-3', 'web')],
      ['catalog web', 'health web', 'node n2', 'services'],
      ['catalog web', 'health web', ...SERVICES],
    ],
    [
      'the first instance of a service',
      [putService('n1', 'none-1', 'none')],
      ['health none', 'node n1', 'services'],
      ['health none', ...SERVICES],
    ],
    [
      'an instance with other tags',
      [putService('n1', 'web-1', 'web', { tags: ['v2'] })],
      ['catalog web', 'health web', 'node n1', 'services'],
      ['catalog web', 'health web', ...SERVICES],
    ],
    [
      'an instance that goes, its service staying',
      [deleteService('n2', 'web-2')],
      ['catalog web', 'health web', 'node n2', 'services'],
      ['catalog web', 'health web', ...SERVICES],
    ],
    [
      'an instance that goes with its check',
      [deleteService('n1', 'web-1')],
      ['all checks', 'catalog web', 'checks of web', 'checks on n1', 'health web', 'node n1', 'services'],
      ['catalog web', 'health web', ...SERVICES, ...CHECKS],
    ],
    [
      'the last instance of a service: the index of all services without instances moves',
      [deleteService('n1', 'db-1')],
      ['catalog db', 'health db', 'node n1', 'services'],
      ['catalog db', 'health db', 'health none', ...SERVICES],
    ],
    [
      'an instance that is now of another service',
      [putService('n1', 'db-1', 'web')],
      ['catalog db', 'catalog web', 'health db', 'health web', 'node n1', 'services'],
      ['catalog db', 'catalog web', 'health db', 'health web', 'health none', ...SERVICES],
    ],
    [
      "an instance's check with another status: catalog/service reports it, but sleeps on",
      [putCheck('n1', 'c-web-1', web1, { status: 'critical' })],
      ['all checks', 'checks of web', 'checks on n1', 'health web'],
      ['catalog web', 'health web', ...CHECKS],
    ],
    [
      'a new check of an instance',
      [putCheck('n1', 'c-db-1', db1)],
      ['all checks', 'checks of db', 'checks on n1', 'health db'],
      ['catalog db', 'health db', ...CHECKS],
    ],
    [
      'a check of an instance that goes',
      [deleteCheck('n1', 'c-web-1')],
      ['all checks', 'checks of web', 'checks on n1', 'health web'],
      ['catalog web', 'health web', ...CHECKS],
    ],
    [
      'a check that is now of another instance',
      [putCheck('n1', 'c-web-1', db1)],
      ['all checks', 'checks of db', 'checks of web', 'checks on n1', 'health db', 'health web'],
      ['catalog db', 'catalog web', 'health db', 'health web', ...CHECKS],
    ],
    [
      'a check of a node counts for all its services',
      [putCheck('n1', 'c-node', undefined, { status: 'critical' })],
      ['all checks', 'checks on n1', 'health db', 'health web'],
      ['catalog db', 'catalog web', 'health db', 'health web', ...CHECKS],
    ],
    [
      'a check of a node that goes',
      [deleteCheck('n1', 'c-node')],
      ['all checks', 'checks on n1', 'health db', 'health web'],
      ['catalog db', 'catalog web', 'health db', 'health web', ...CHECKS],
    ],
    [
      'a node with another address',
      [putNode('n2', { address: '10.0.0.9' })],
      ['catalog cache', 'catalog web', 'health cache', 'health web', 'node n2', 'nodes'],
      ['catalog cache', 'catalog web', 'health cache', 'health web', 'node n1', 'node n2', 'nodes'],
    ],
    ['a new node', [putNode('n3')], ['node n3', 'nodes'], ['node n1', 'node n2', 'node n3', 'nodes']],
    [
      'a node that goes with all it has',
      [deleteNode('n1')],
      [
        'all checks',
        'catalog db',
        'catalog web',
        'checks of web',
        'checks on n1',
        'health db',
        'health web',
        'node n1',
        'nodes',
        'services',
      ],
      [
        'catalog db',
        'catalog web',
        'health db',
        'health none',
        'health web',
        'node n3',
        'nodes',
        ...SERVICES,
        ...CHECKS,
      ],
    ],
    ['the same rows again', [...WORLD], [], []],
    [
      'deletes of what is not there',
      [deleteNode('n9'), deleteService('n1', 'x'), deleteCheck('n2', 'x')],
      [],
      [],
    ],
    ['a service on a node that is gone', [putService('n9', 'web-9', 'web')], [], []],
    [
      'a check on a node or of an instance that is gone',
      [putCheck('n9', 'c'), putCheck('n1', 'c', { id: 'web-9', service: 'web' })],
      [],
      [],
    ],
    [
      'several changes of a commit: everybody is woken once',
      [
        putCheck('n1', 'c-web-1', web1, { status: 'critical' }),
        putService('n1', 'web-1', 'web', { port: 81 }),
      ],
      ['all checks', 'catalog web', 'checks of web', 'checks on n1', 'health web', 'node n1', 'services'],
      ['catalog web', 'health web', ...SERVICES, ...CHECKS],
    ],
  ];

  test.each(cases)('%s', (_name, changes, woken, moved) => {
    expect(effectOf(changes)).toEqual({ woken: [...woken].sort(), moved: [...moved].sort() });
  });
});

describe('indexes', () => {
  test('are never 0, also where nothing is known', () => {
    const { catalog } = committing(0);
    for (const name of names()) expect([name, catalog.indexOf(QUERIES[name])]).toEqual([name, 1]);
    expect(catalog.entries('web')).toEqual({ index: 1, value: [] });
  });

  test('a service without instances reports when a service last lost its last one', () => {
    const { catalog, commit } = committing();
    commit(...WORLD);
    expect(catalog.entries('none').index).toBe(10);
    const gone = commit(deleteService('n1', 'db-1'));
    expect(catalog.entries('db')).toEqual({ index: gone, value: [] });
    expect(catalog.entries('none').index).toBe(gone);
    const back = commit(putService('n1', 'db-1', 'db'));
    expect(catalog.entries('db').index).toBe(back);
    expect(catalog.entries('none').index).toBe(gone);
  });

  test('after a reset are all that of the snapshot, and everybody is woken', () => {
    const { catalog, commit } = committing();
    commit(...WORLD);
    const woken: Name[] = [];
    for (const name of names()) catalog.watch(QUERIES[name], () => woken.push(name));
    const web = catalog.entries('web').value.map((entry) => entry.instance);
    catalog.reset({
      index: 500,
      nodes: catalog.nodes().value,
      services: web,
      checks: catalog.checksInState('any').value,
      sessions: [],
      kv: [],
      queries: [],
    });
    expect(woken).toEqual(names());
    for (const name of names()) expect([name, catalog.indexOf(QUERIES[name])]).toEqual([name, 500]);
    expect(catalog.entries('web').value.map((entry) => entry.instance)).toEqual(web);
    expect(catalog.entries('db').value).toEqual([]);
    expect(catalog.serviceChecks('web').value.map((check) => check.id)).toEqual(['c-web-1']);
  });

  test('a commit that is known already does nothing', () => {
    const { catalog, commit } = committing();
    const index = commit(...WORLD);
    const again = { index, changes: [deleteNode('n1')], cause: { by: 'test', what: 'test' } };
    expect(catalog.apply(again)).toEqual([]);
    expect(catalog.node('n1').value).toBeDefined();
  });
});
