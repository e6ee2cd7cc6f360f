import { describe, expect, test } from 'vitest';
import { filterOf } from '../../../../src/api/consul/filter.ts';
import { CHECK, HEALTH_ENTRY } from '../../../../src/api/consul/filter-shapes.ts';
import { Refusal } from '../../../../src/api/consul/refusal.ts';

const ONE = {
  Node: { Node: 'n1', Meta: { zone: 'a' } },
  Service: {
    ID: 'one',
    Tags: ['alpha', 'beta'],
    Meta: { version: '1', 'dash-key': 'x' },
    Port: 8080,
    EnableTagOverride: false,
  },
  Checks: [{ Status: 'passing' }, { Status: 'critical' }],
};
const TWO = {
  Node: { Node: 'n2', Meta: null },
  Service: { ID: 'two', Tags: [], Meta: null, Port: 9090, EnableTagOverride: true },
  Checks: [],
};

describe('which of two entries an expression keeps', () => {
  test.each([
    ['Service.ID == one', 'one'],
    ['Service.ID != one', 'two'],
    ['Service.ID == "two"', 'two'],
    ['Service.ID == `two`', 'two'],
    ['Service.ID == ONE', ''],
    ['Service.Port == 8080', 'one'],
    ['Service.EnableTagOverride == true', 'two'],
    ['alpha in Service.Tags', 'one'],
    ['alpha not in Service.Tags', 'two'],
    ['Service.Tags contains beta', 'one'],
    ['Service.Tags not contains beta', 'two'],
    ['"w" in Service.ID', 'two'],
    ['Service.Tags is empty', 'two'],
    ['Service.Meta is not empty', 'one'],
    ['Checks is empty', 'two'],
    ['version in Service.Meta', 'one'],
    ['Service.Meta.version == 1', 'one'],
    ['Service.Meta["dash-key"] == x', 'one'],
    ['Service.Meta.nope == x', ''],
    ['Service.Meta.nope != x', 'one two'],
    ['Service.Meta["__proto__"] == x', ''],
    ['Checks.Status == critical', 'one'],
    ['Checks.Status != critical', 'one'],
    ['Service.Kind == ""', 'one two'],
    ['Service.ID matches "^t"', 'two'],
    ['Service.ID not matches "^t"', 'one'],
    ['not Service.ID == one', 'two'],
    ['Service.ID == one or Service.ID == two and Service.Port == 1', 'one'],
    ['(Service.ID == one or Service.ID == two) and Service.Port == 9090', 'two'],
    ['not (Service.ID == one or Service.ID == two)', ''],
    ['', 'one two'],
  ])('%s', (expression, kept) => {
    const keep = filterOf(expression, HEALTH_ENTRY);
    expect(
      [ONE, TWO]
        .filter(keep)
        .map((entry) => entry.Service.ID)
        .join(' '),
    ).toBe(kept);
  });
});

describe('what is wrong with an expression', () => {
  test.each([
    ['Foo == 1', 'Selector "Foo" is not valid'],
    ['service.id == one', 'Selector "service" is not valid'],
    ['Service.Nope == one', 'Selector "Service.Nope" is not valid'],
    ['Service.constructor == one', 'Selector "Service.constructor" is not valid'],
    ['Service.Port is empty', 'Invalid match operator "Is Empty" for selector "Service.Port"'],
    ['Service.Address is not empty', 'Invalid match operator "Is Not Empty" for selector "Service.Address"'],
    ['Service.Tags == x', 'Invalid match operator "Equal" for selector "Service.Tags"'],
    [
      'Service.Port == abc',
      'Failed to coerce value "abc" for selector "Service.Port": strconv.ParseInt: parsing "abc": invalid syntax',
    ],
    ['Service.ID matches "("', /^Failed to compile regular expression "\(": error parsing regexp: /],
    ['Service.EnableTagOverride', /^1:\d+ \(\d+\): /],
    ['(Service.ID == one', /^1:\d+ \(\d+\): /],
    ['Service.ID ==', /^1:\d+ \(\d+\): /],
    ['Service.ID = one', /^1:\d+ \(\d+\): /],
    ['Service.ID == one two', /^1:\d+ \(\d+\): /],
    ['not '.repeat(1_000), /^1:\d+ \(\d+\): /],
  ])('%s', (expression, words) => {
    let refusal: unknown;
    try {
      filterOf(expression, HEALTH_ENTRY, '');
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ status: 500 });
    const message = refusal instanceof Refusal ? refusal.message : '';
    if (typeof words === 'string') expect(message).toBe(words);
    else expect(message).toMatch(words);
  });

  test('the usual prefix', () => {
    expect(() => filterOf('Foo == 1', CHECK)).toThrow(
      'Failed to create boolean expression evaluator: Selector "Foo" is not valid',
    );
  });
});
