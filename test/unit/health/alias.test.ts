import { describe, expect, test } from 'vitest';
import { judgeAlias } from '../../../src/health/alias.ts';
import type { Check } from '../../../src/registry/model.ts';

function check(serviceId: string, status: string, id = `${serviceId}-${status}`): Check {
  return {
    node: 'n1',
    id,
    name: `the ${id}`,
    status,
    notes: '',
    output: 'stale',
    serviceId,
    serviceName: serviceId,
    serviceTags: [],
    type: '',
    definition: undefined,
    createIndex: 1,
    modifyIndex: 1,
  };
}

function judge(
  checks: readonly Check[],
  options: { serviceId?: string; exists?: boolean; node?: string } = {},
) {
  const { serviceId = 'web', exists = true, node = '' } = options;
  const { status, output } = judgeAlias({
    node,
    serviceId,
    checks,
    exists,
    outputOf: ({ id }) => `of ${id}`,
  });
  return [status, output];
}

describe('an alias check', () => {
  test.each([
    ['no checks', [], 'passing', 'No checks found.'],
    ['only checks of others', [check('db', 'critical')], 'passing', 'No checks found.'],
    ['passing checks', [check('web', 'passing'), check('', 'passing')], 'passing', 'All checks passing.'],
    [
      'a warning among passing ones',
      [check('web', 'passing'), check('web', 'warning'), check('web', 'passing', 'last')],
      'warning',
      'Aliased check "the web-warning" failing: of web-warning',
    ],
    [
      'critical before warning',
      [check('web', 'warning'), check('web', 'critical')],
      'critical',
      'Aliased check "the web-critical" failing: of web-critical',
    ],
    [
      'a check of the node',
      [check('', 'critical')],
      'critical',
      'Aliased check "the -critical" failing: of -critical',
    ],
    [
      'an unknown status',
      [check('web', 'weird')],
      'critical',
      'Aliased check "the web-weird" failing: of web-weird',
    ],
    [
      'another case of the id',
      [check('WEB', 'critical')],
      'critical',
      'Aliased check "the WEB-critical" failing: of WEB-critical',
    ],
  ])('follows %s', (_name, checks, status, output) => {
    expect(judge(checks)).toEqual([status, output]);
  });

  test('of what is not there is critical, whatever else is on the node', () => {
    expect(judge([check('', 'passing')], { exists: false })).toEqual([
      'critical',
      'Service web could not be found on node ',
    ]);
    expect(judge([], { exists: false, serviceId: '', node: 'n2' })).toEqual([
      'critical',
      'Node n2 could not be found',
    ]);
  });

  test('of a node counts only the checks of the node', () => {
    const checks = [check('web', 'critical'), check('', 'warning')];
    expect(judge(checks, { serviceId: '' })).toEqual([
      'warning',
      'Aliased check "the -warning" failing: of -warning',
    ]);
  });
});
