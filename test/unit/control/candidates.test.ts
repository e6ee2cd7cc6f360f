import { expect, test } from 'vitest';
import { endpointCandidates } from '../../../src/control/candidates.ts';
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

test('weights multiply, the rest comes from the entry', () => {
  expect(endpointCandidates(SOURCE, [endpoint('a', 0, 5)])).toEqual([
    { name: 'a', address: '10.0.0.1', port: 80, weight: 15, tier: 0, backup: true, maxconn: 7, drain: 5_000 },
  ]);
});

test('the best priority of a name is the first tier, whatever its number', () => {
  const tiers = (...priorities: number[]) =>
    endpointCandidates(
      SOURCE,
      priorities.map((priority, i) => endpoint(`${i}`, priority)),
    ).map(({ tier }) => tier);
  expect(tiers(1, 1)).toEqual([0, 0]);
  expect(tiers(20, 10, 20, 30)).toEqual([1, 0, 1, 2]);
});
