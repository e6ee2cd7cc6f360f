import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/registry/model.ts';
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

/** Two nodes with a check each, and an instance with a check on the first. */
const WORLD: readonly Change[] = [
  putNode('n1'),
  putNode('n2'),
  putService('n1', 'web-1', 'web'),
  putCheck('n1', 'c-web-1', web1),
  putCheck('n1', 'c-node'),
  putCheck('n2', 'c-other'),
];

/** What a watcher of the checks of n1 hears, commit by commit. */
function heardOf(...commits: readonly (readonly Change[])[]) {
  const { catalog, commit } = committing();
  commit(...WORLD);
  const heard: (readonly string[] | undefined)[] = [];
  const cancel = catalog.watchChecks('N1', (ids) => heard.push(ids && [...ids].sort()));
  for (const changes of commits) commit(...changes);
  cancel();
  commit(deleteCheck('n1', 'c-node'));
  return heard;
}

describe('watchers of the checks of a node', () => {
  test.each<[string, readonly Change[], readonly (readonly string[])[]]>([
    ['a new check', [putCheck('n1', 'c-new')], [['c-new']]],
    [
      'several in one commit, once',
      [deleteCheck('n1', 'c-node'), putCheck('n1', 'c-new')],
      [['c-new', 'c-node']],
    ],
    ['a check that goes with its instance', [deleteService('n1', 'web-1')], [['c-web-1']]],
    ['all that go with the node', [deleteNode('n1')], [['c-node', 'c-web-1']]],
    ['a check that is written otherwise, under both', [putCheck('n1', 'C-NODE')], [['C-NODE', 'c-node']]],
    ['nothing of another node', [putCheck('n2', 'c-new')], []],
    ['nothing of a check that is the same', [putCheck('n1', 'c-node')], []],
    ['nothing of instances alone', [putService('n1', 'db-1', 'db')], []],
  ])('hear of %s', (_what, changes, expected) => {
    expect(heardOf(changes)).toEqual(expected);
  });

  test('hear that anything may have changed when all rows are replaced', () => {
    const { catalog } = committing();
    const heard: unknown[] = [];
    catalog.watchChecks('n1', (ids) => heard.push(ids));
    catalog.reset({ index: 9, nodes: [], services: [], checks: [], sessions: [], kv: [], queries: [] });
    expect(heard).toEqual([undefined]);
  });
});
