// npm run drills: the drills of test/integration/drills, longer than in `npm test`, and a table of what they measured.
// VANE_DRILL_SECONDS says how long each lasts, by default 60. `npm run drills sources` runs those that docs/drills.md
// tells of, and writes it if all of them were run and none failed; so does `npm run drills mysql`, docs/mysql-drills.md.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ensureInstalled, ROOT } from './ensure.mjs';

const node = ensureInstalled();
const folder = mkdtempSync(join(tmpdir(), 'vane-drills-'));
const figures = join(folder, 'figures');
const outcomes = join(folder, 'outcomes');
process.exitCode = await run();
printTable(readFigures());
if (process.exitCode === 0) {
  for (const [page, from] of [
    ['drill-page.ts', outcomes],
    ['mysql-drill-page.ts', figures],
  ]) {
    spawnSync(node, [join(ROOT, 'test/helpers', page), from], { cwd: ROOT, stdio: 'inherit' });
  }
}
rmSync(folder, { recursive: true, force: true });

/** One drill after the other, so that none takes the time of another. */
function run() {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const filters = process.argv.slice(2).map((filter) => join('test/integration/drills', filter));
  const args = ['run', '--config', 'test/vitest.config.ts', '--no-file-parallelism'];
  const child = spawn(
    node,
    [vitest, ...args, ...(filters.length > 0 ? filters : ['test/integration/drills/'])],
    {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        PATH: [dirname(node), process.env.PATH].join(delimiter),
        VANE_DRILL_SECONDS: process.env.VANE_DRILL_SECONDS || '60',
        VANE_DRILL_FIGURES: figures,
        VANE_DRILL_OUTCOMES: outcomes,
      },
    },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function readFigures() {
  try {
    return readFileSync(figures, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return [];
  }
}

function printTable(rows) {
  const all = [{ drill: 'drill', what: 'what', value: 'measured', bar: 'bar' }, ...rows];
  const columns = ['drill', 'what', 'value', 'bar'];
  const widths = columns.map((column) => Math.max(...all.map((row) => row[column].length)));
  console.log();
  for (const row of all) {
    console.log(
      columns
        .map((column, i) => row[column].padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
  }
}
