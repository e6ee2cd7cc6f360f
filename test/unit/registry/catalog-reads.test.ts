import { describe, expect, test } from 'vitest';
import type { ServiceEntry } from '../../../src/registry/reader.ts';
import { committing, deleteService, putCheck, putNode, putService } from '../../helpers/registry-rows.ts';

function listed(entries: readonly ServiceEntry[]): string[] {
  return entries.map(({ instance }) => `${instance.node}/${instance.id}`);
}

describe('entries', () => {
  test('come by node, then instance id, whatever their case and the order they came in', () => {
    const { catalog, commit } = committing();
    commit(putNode('nB'), putNode('na'), putNode('n'));
    for (const [node, id] of [
      ['nB', 'b'],
      ['nB', 'A'],
      ['na', 'z'],
      ['n', 'zz'],
      ['nB', 'a-1'],
    ] as const) {
      commit(putService(node, id, 'web'));
    }
    expect(listed(catalog.entries('web').value)).toEqual(['n/zz', 'na/z', 'nB/A', 'nB/a-1', 'nB/b']);
  });

  test("carry the node's checks first, then the instance's own, each by id", () => {
    const { catalog, commit } = committing();
    const web = { id: 'web-1', service: 'web' };
    commit(putNode('n1'), putService('n1', 'web-1', 'web'), putService('n1', 'web-2', 'web'));
    commit(putCheck('n1', 'b', web), putCheck('n1', 'serfHealth'), putCheck('n1', 'A', web));
    commit(putCheck('n1', '_node_maintenance'), putCheck('n1', 'other', { id: 'web-2', service: 'web' }));
    const [first] = catalog.entries('web').value;
    expect(first?.checks.map((check) => check.id)).toEqual(['_node_maintenance', 'serfHealth', 'A', 'b']);
  });

  test('are the same objects until something in them changes', () => {
    const { catalog, commit } = committing();
    commit(putNode('n1'), putService('n1', 'a', 'web'), putService('n1', 'b', 'web'));
    const before = catalog.entries('web');
    commit(putService('n1', 'other'));
    commit(putService('n1', 'a', 'web'));
    expect(catalog.entries('web')).toBe(before);
    commit(putCheck('n1', 'c', { id: 'b', service: 'web' }));
    const after = catalog.entries('web');
    expect(after.value[0]).toBe(before.value[0]);
    expect(after.value[1]).not.toBe(before.value[1]);
    expect(before.value.map((entry) => entry.checks.length)).toEqual([0, 0]);
  });
});

describe('names', () => {
  test('compare without case and read as they were last written', () => {
    const { catalog, commit } = committing();
    const created = commit(
      putNode('Node'),
      putService('NODE', 'Up', 'Web'),
      putCheck('node', 'C', { id: 'UP', service: 'Web' }),
    );
    const changed = commit(putService('node', 'up', 'web'));
    expect(catalog.instance('nODE', 'UP')).toMatchObject({
      id: 'up',
      service: 'web',
      createIndex: created,
      modifyIndex: changed,
    });
    expect(listed(catalog.entries('WEB').value)).toEqual(['node/up']);
    expect(catalog.check('NODE', 'c')?.id).toBe('C');
    expect(catalog.instanceChecks('node', 'uP').map((check) => check.id)).toEqual(['C']);
    expect(catalog.serviceChecks('wEB').value).toHaveLength(1);
    expect(catalog.node('NODE').value?.node.node).toBe('Node');
    expect(catalog.nodeChecks('NODE').value).toHaveLength(1);
    commit(deleteService('NODE', 'UP'));
    expect(catalog.entries('web').value).toEqual([]);
    expect(catalog.check('node', 'c')).toBeUndefined();
  });

  test('services lists each spelling with its distinct tags, by name', () => {
    const { catalog, commit } = committing();
    commit(putNode('n1'), putService('n1', '1', 'web', { tags: ['b', 'a', 'b'] }));
    commit(putService('n1', '2', 'web', { tags: ['a', 'c'] }), putService('n1', '3', 'Web', { tags: ['x'] }));
    commit(putService('n1', '4', 'api'));
    expect([...catalog.services().value]).toEqual([
      ['api', []],
      ['web', ['b', 'a', 'c']],
      ['Web', ['x']],
    ]);
    const before = catalog.services().value;
    commit(putCheck('n1', 'c'));
    expect(catalog.services().value).toBe(before);
    commit(deleteService('n1', '4'));
    expect([...catalog.services().value.keys()]).toEqual(['web', 'Web']);
  });
});

describe('checks', () => {
  test('in a state are those with that word, whatever the word is', () => {
    const { catalog, commit } = committing();
    commit(
      putNode('n2'),
      putNode('n1'),
      putCheck('n2', 'a'),
      putCheck('n1', 'b', undefined, { status: 'weird' }),
    );
    const ids = (state: string) => catalog.checksInState(state).value.map((check) => check.id);
    expect(ids('any')).toEqual(['b', 'a']);
    expect(ids('passing')).toEqual(['a']);
    expect(ids('weird')).toEqual(['b']);
    expect(ids('critical')).toEqual([]);
    const before = catalog.checksInState('passing').value;
    commit(putService('n1', 's'));
    expect(catalog.checksInState('passing').value).toBe(before);
  });

  test('of one instance leave out those of its node', () => {
    const { catalog, commit } = committing();
    commit(
      putNode('n1'),
      putService('n1', 's'),
      putCheck('n1', 'node'),
      putCheck('n1', 'own', { id: 's', service: 's' }),
    );
    expect(catalog.instanceChecks('n1', 's').map((check) => check.id)).toEqual(['own']);
    expect(catalog.instanceChecks('n1', '')).toEqual([]);
    expect(catalog.nodeChecks('n1').value.map((check) => check.id)).toEqual(['node', 'own']);
  });
});

describe('watching', () => {
  const web = { kind: 'health-service', service: 'web' } as const;

  test('sees the whole commit', async () => {
    const { catalog, commit } = committing();
    let seen: unknown;
    catalog.watch(web, () => {
      seen = [catalog.index, catalog.entries('web').value.length, catalog.entries('db').value.length];
    });
    const index = commit(putNode('n1'), putService('n1', 'w', 'web'), putService('n1', 'd', 'db'));
    expect(seen).toEqual([index, 1, 1]);
  });

  test('a listener that throws keeps no other from hearing', () => {
    const { catalog, commit, errors } = committing();
    const heard: string[] = [];
    catalog.watch(web, () => {
      throw new Error('broken');
    });
    const unwatch = catalog.watch(web, () => heard.push('second'));
    commit(putNode('n1'), putService('n1', '1', 'web'));
    expect(heard).toEqual(['second']);
    expect(errors).toEqual([new Error('broken')]);
    unwatch();
    unwatch();
    commit(putService('n1', '2', 'web'));
    expect(heard).toEqual(['second']);
  });
});

test('the cost of a change does not grow with the number of services', () => {
  const { catalog, commit } = committing();
  const nodes = Array.from({ length: 20 }, (_, i) => `n${i}`);
  commit(...nodes.map((node) => putNode(node)));
  for (let s = 0; s < 1000; s++) commit(...nodes.map((node) => putService(node, `s${s}`, `s${s}`)));
  expect(catalog.size).toBe(20 + 20_000);
  const others = Array.from({ length: 999 }, (_, s) => catalog.entries(`s${s + 1}`));
  const index = commit(putCheck('n7', 'c', { id: 's0', service: 's0' }, { status: 'critical' }));
  expect(catalog.entries('s0').index).toBe(index);
  expect(catalog.entries('s0').value).toHaveLength(20);
  // Nothing of any other service has been touched, let alone made anew.
  for (const [s, before] of others.entries()) expect(catalog.entries(`s${s + 1}`)).toBe(before);
});
