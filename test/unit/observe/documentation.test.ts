import { expect, test } from 'vitest';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { readText } from '../../helpers/source-tree.ts';
import { parsePrometheus } from './prometheus-text.ts';
import { mysqlVipView, systemView } from './system-view.ts';

test('docs/metrics.md lists exactly the metrics there are, with their types and labels', async () => {
  const metrics = createMetrics({
    view: async () => systemView({ mysqlVips: [mysqlVipView()] }),
    accessDropped: () => 0,
  });
  const families = [...parsePrometheus(await metrics.text())];
  const told = families
    .filter(([name]) => /^(?:haproxy|vane)_/.test(name))
    .map(([name, { type, series }]) => {
      const labels = Object.keys(series[0]?.labels ?? {}).filter((label) => label !== 'le');
      return `${name} ${type} ${labels.join(', ')}`.trim();
    });
  const rows = readText('docs/metrics.md').matchAll(/^\| `(\w+)` \| (\w+) \| ([\w, ]*) \|/gm);
  const documented = [...rows].map(([, name, type, labels]) => `${name} ${type} ${labels?.trim()}`.trim());
  expect(documented.sort()).toEqual(told.sort());
});
