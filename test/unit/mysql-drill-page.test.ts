import { expect, test } from 'vitest';
import { type Figure, missingDrills, mysqlDrillPage } from '../helpers/mysql-drill-page.ts';

const figure = (drill: string, what: string, value: string, bar = ''): Figure => ({
  drill,
  what,
  value,
  bar,
});

const WHOLE = [
  figure('mysql-vip', 'link cut: gap in reading, ms, median of 20', '3100', '≤ 6000'),
  figure('mysql-vip', 'link cut: gap in reading, ms, worst', '6100', '≤ 6000'),
  figure('mysql-vip', 'answers lost: commits without an answer', '4'),
  figure('mysql-vip operated', 'two that take writes: writes that another than the master took', '0', '0'),
  figure('mysql-vip of two Vanes', 'from one back at the master to the other, ms, worst', '40'),
  figure('mysql-vip in chaos', 'writes that another than the master took', '0', '0'),
];

test('a run of all drills to their ends is whole, and any other is not', () => {
  expect(missingDrills(WHOLE)).toEqual([]);
  expect(missingDrills(WHOLE.slice(0, -1))).toEqual(['mysql-vip in chaos']);
  // Where no network can be made.
  expect(missingDrills(WHOLE.filter(({ what }) => !what.startsWith('answers lost')))).toEqual(['mysql-vip']);
});

test('the page has median and worst in one row, and says which bar is not met', () => {
  const machine = { cpu: 'a CPU', cores: 2, memoryGb: 4, kernel: '6', loadBefore: 0.5 };
  const page = mysqlDrillPage(WHOLE, machine, 'Vane 1', '2026-01-01');
  expect(page).toContain('| link cut: gap in reading, ms | 3100 | 6100 | ≤ 6000 | **no** |');
  expect(page).toContain('| answers lost: commits without an answer | 4 |  |  |  |');
  expect(page).toContain('| writes that another than the master took | 0 |  | 0 | yes |');
});
