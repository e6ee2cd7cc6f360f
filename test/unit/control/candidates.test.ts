import { expect, test } from 'vitest';
import { changedCandidates, endpointCandidates, leftOutWhy } from '../../../src/control/candidates.ts';
import { type DiscoveredSet, discoveredSet } from '../../../src/discovery/discovered-set.ts';
import type { Endpoint } from '../../../src/discovery/resolution.ts';

const SOURCE = {
  kind: 'domain',
  key: 'web.example',
  domain: 'web.example',
  port: undefined,
  resolvers: 'corp',
  interval: 2_000,
  onEmpty: 'drain',
  weight: 3,
  backup: true,
  maxconn: 7,
  drain: 5_000,
  check: undefined,
} as const;

function endpoint(name: string, priority: number, weight = 1): Endpoint {
  return { name, address: '10.0.0.1', port: 80, weight, priority };
}

function set(...endpoints: readonly Endpoint[]): DiscoveredSet {
  return discoveredSet({ endpoints, excluded: [] });
}

test('weights multiply, the rest comes from the entry', () => {
  const rest = { weight: 15, tier: 0, backup: true, maxconn: 7, drain: 5_000 };
  expect(endpointCandidates(SOURCE, set(endpoint('a', 0, 5)))).toEqual([
    { name: 'a', address: '10.0.0.1', port: 80, instance: 'a', ...rest },
  ]);
});

test('the best priority of a name is the first tier, whatever its number', () => {
  const tiers = (...priorities: number[]) =>
    endpointCandidates(SOURCE, set(...priorities.map((priority, i) => endpoint(`${i}`, priority)))).map(
      ({ tier }) => tier,
    );
  expect(tiers(1, 1)).toEqual([0, 0]);
  expect(tiers(20, 10, 20, 30)).toEqual([1, 0, 1, 2]);
});

test('of a set that differs only those candidates are made that are new or not as they were', () => {
  const before = set(...['a', 'b', 'c', 'd'].map((name) => endpoint(name, 0)));
  const after = set(endpoint('a', 0), endpoint('c', 0, 2), endpoint('d', 0), endpoint('e', 0));
  const change = changedCandidates(SOURCE, before, after);
  expect(change?.said.map(({ name, weight }) => `${name} ${weight}`)).toEqual(['c 6', 'e 3']);
  expect(change?.gone).toEqual(['10.0.0.1:80/b']);
});

test('where another priority is the best, all are looked at anew', () => {
  expect(
    changedCandidates(SOURCE, set(endpoint('a', 1)), set(endpoint('b', 0), endpoint('a', 1))),
  ).toBeUndefined();
});

test('why an instance is left out is told of that one only, and of none that is in', () => {
  const out = { address: '10.0.0.2', port: 80, name: 'b', why: 'critical: ping' };
  const left = discoveredSet({ endpoints: [endpoint('a', 0)], excluded: [out] });
  expect(leftOutWhy(left, '10.0.0.2:80/b')).toBe('critical: ping');
  expect(leftOutWhy(left, '10.0.0.2:80/c')).toBeUndefined();
  expect(leftOutWhy(left, '10.0.0.1:80/a')).toBeUndefined();
});
