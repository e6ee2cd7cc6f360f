import { expect, test } from 'vitest';
import { DRILLS, type DrillName, type Outcome } from '../helpers/drill-outcomes.ts';
import { drillPage, missingFrom } from '../helpers/drill-page.ts';

const NAMES = Object.keys(DRILLS) as DrillName[];

const outcome = (drill: DrillName, proxy = 'Vane', changes: Partial<Outcome> = {}): Outcome => ({
  drill,
  proxy,
  requests: 100,
  failed: 0,
  stallMs: 12.3,
  late: 0,
  lastLateMs: undefined,
  bar: undefined,
  note: '',
  ...changes,
});

const whole = [...NAMES.map((name) => outcome(name)), outcome('scale', 'HAProxy')];

test('a run of all drills with HAProxy beside is whole, and any other is not', () => {
  expect(missingFrom(whole)).toEqual([]);
  for (const name of NAMES) {
    const others = whole.filter(({ drill, proxy }) => drill !== name || proxy !== 'Vane');
    expect(missingFrom(others)).toEqual([name]);
  }
  expect(missingFrom(whole.slice(0, -1))).toEqual(['HAProxy (apt-get install haproxy)']);
});

test('the page has a row for each proxy of each drill, and no late requests where nothing left', () => {
  const machine = { cpu: 'a CPU', cores: 2, memoryGb: 4, kernel: '6', loadBefore: 0.5 };
  const late = outcome('deregister', 'Vane', { late: 2, lastLateMs: 3.21, bar: 50, note: 'so' });
  const page = drillPage([...whole.slice(1), late], machine, 'Vane 1', '2026-01-01');
  expect(page).toContain('| Vane | 100 | 0 | 12 | 2 | 3.2 | 50 | so |');
  expect(page.match(/^\| Vane \|/gm)).toHaveLength(NAMES.length);
  expect(page.match(/^\| HAProxy \| 100 \| 0 \| 12 \| {2}\| {2}\| {2}\| {2}\|$/gm)).toHaveLength(1);
});
