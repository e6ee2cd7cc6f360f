import { expect, test } from 'vitest';
import type { PreparedQueryRequest } from '../../../src/registry/prepared-queries.ts';
import { chosenBy } from '../../../src/registry/query-choice.ts';
import { queryRequest } from '../../helpers/query-rows.ts';
import { checkRow, instanceRow, nodeRow } from '../../helpers/registry-rows.ts';

const at = { createIndex: 1, modifyIndex: 1 };

function entry(id: string, status: string, tags: string[], meta: Record<string, string> | null) {
  return {
    node: { ...nodeRow('n1', { meta: { rack: '1' } }), ...at },
    instance: { ...instanceRow('n1', id, 'web', { tags, meta }), ...at },
    checks: [{ ...checkRow('n1', `check-${id}`, undefined, { status }), ...at }],
  };
}

const ENTRIES = [
  entry('good', 'passing', ['V1', 'blue'], { zone: 'a' }),
  entry('warns', 'warning', ['v2'], null),
  entry('bad', 'critical', ['v1'], { zone: 'b' }),
];

test.each([
  [{}, ['good', 'warns']],
  [{ onlyPassing: true }, ['good']],
  [{ ignoreCheckIds: ['check-bad'] }, ['good', 'warns', 'bad']],
  [{ ignoreCheckIds: ['check-bad', 'check-warns'], onlyPassing: true }, ['good', 'warns', 'bad']],
  [{ tags: ['v1'] }, ['good']],
  [{ tags: ['v1', 'BLUE'] }, ['good']],
  [{ tags: ['v1', 'v2'] }, []],
  [{ tags: ['!v1'] }, ['warns']],
  [{ tags: ['!V1', '!v2'] }, []],
  [{ serviceMeta: { zone: 'a' } }, ['good']],
  [{ serviceMeta: { constructor: 'a' } }, []],
  [{ nodeMeta: { rack: '1' } }, ['good', 'warns']],
  [{ nodeMeta: { rack: '2' } }, []],
] as [Partial<PreparedQueryRequest>, string[]][])('%j chooses %j', (more, ids) => {
  const query = { ...queryRequest(more), id: 'q', ...at };
  expect(chosenBy(query, ENTRIES).map(({ instance }) => instance.id)).toEqual(ids);
});
