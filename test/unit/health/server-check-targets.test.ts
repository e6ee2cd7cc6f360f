import { expect, test } from 'vitest';
import type { ServerCheckTarget } from '../../../src/health/server-check.ts';
import { ServerChecks } from '../../../src/health/server-checks.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

// The clock never moves: no check is ever made.

function target(name: string, port = 80): ServerCheckTarget {
  const check = { inter: 1_000, fall: 3, rise: 2, port: undefined };
  return { id: `web/${name}`, address: '127.0.0.1', port, check, httpchk: undefined, timeout: undefined };
}

function setUp() {
  const clock = new FakeClock();
  const checks = new ServerChecks({ clock, random: () => 0.5 });
  const known = (...names: string[]) => names.filter((name) => checks.state(`web/${name}`));
  return { clock, checks, known };
}

test('a change of targets is about those that it names, and about no others', async () => {
  const { clock, checks, known } = setUp();
  checks.set('web', [target('a', 1), target('b', 2)]);
  checks.change('web', [target('c', 3)], ['web/a', 'web/x']);
  expect(known('a', 'b', 'c')).toEqual(['b', 'c']);
  expect(clock.pending).toBe(2);
  checks.set('web', [target('c', 3)]);
  expect(known('a', 'b', 'c')).toEqual(['c']);
  await checks.stop(0);
  expect(clock.pending).toBe(0);
});

test('an owner cannot take away the targets of another', async () => {
  const { clock, checks, known } = setUp();
  checks.set('web', [target('a')]);
  checks.change('api', [], ['web/a']);
  expect(known('a')).toEqual(['a']);
  await checks.stop(0);
  expect(clock.pending).toBe(0);
});

test('what the traffic of one backend meets takes the server down for that backend and who tracks it, not for others', async () => {
  const { clock, checks } = setUp();
  const observed = 'web/a';
  checks.set('web', [{ ...target('a'), observed }]);
  checks.set('api', [{ ...target('a'), id: 'api/a' }]);
  checks.set('tracking', [{ ...target('a'), id: 'tracking/a', observed }]);
  checks.observed('web/a', 'mark-down', '10 errors in a row');
  const up = (id: string) => checks.state(id)?.up;
  expect([up('web/a'), up('tracking/a'), up('api/a')]).toEqual([false, false, true]);
  await checks.stop(0);
  expect(clock.pending).toBe(0);
});
