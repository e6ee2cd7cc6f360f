// npm test: types, lint and every test under the Node that Vane is pinned to; ends with "N passed, M failed".
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { ensureInstalled, ROOT } from './ensure.mjs';

/** A run that hangs ends here rather than at somebody else's limit. */
const TIME_LIMIT_MS = 9 * 60_000;

const node = ensureInstalled();
const inCi = process.env.CI === 'true';
const deadline = Date.now() + TIME_LIMIT_MS;
let running;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    running?.kill(signal);
    process.exit(1);
  });
}

const total = { passed: 0, failed: 0, skipped: 0 };
add(await tool('Types (tsc)', ['typescript/bin/tsc', '--noEmit', '-p', '.']));
add(await tool('Lint and format (biome check)', ['@biomejs/biome/bin/biome', 'check']));
add(await vitest(process.argv.slice(2)));

const { passed, failed, skipped } = total;
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;

function add(counts) {
  for (const key of Object.keys(total)) total[key] += counts[key] ?? 0;
}

/** A tool that is one test: it finds nothing wrong, or it fails. */
async function tool(title, args) {
  const good = await run(title, args);
  return good ? { passed: 1 } : { failed: 1 };
}

/** All tests, or those in files whose path contains one of `filters`; their skipped ones are named. */
async function vitest(filters) {
  const folder = mkdtempSync(join(tmpdir(), 'vane-test-'));
  try {
    const file = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const args = ['vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts', ...reporters, ...filters];
    const good = await run('Tests (vitest)', args);
    return countTests(readReport(file), good);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults;
  } catch (error) {
    console.error(`vitest left no report: ${error.message}`);
    return [];
  }
}

function countTests(files, good) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const skipped = [];
  for (const { name, status, assertionResults } of files) {
    const failedBefore = counts.failed;
    for (const test of assertionResults) {
      if (test.status === 'passed') counts.passed++;
      else if (test.status === 'failed') counts.failed++;
      else skipped.push(`${relative(ROOT, name)} > ${test.fullName}`);
    }
    // A file that fails outside its tests, such as at an import, counts as one.
    if (status === 'failed' && counts.failed === failedBefore) counts.failed++;
  }
  if (skipped.length > 0) {
    console.log(`\nSkipped${inCi ? ', which CI counts as failed' : ''}:`);
    for (const title of skipped) console.log(`  ${title}`);
  }
  if (inCi) counts.failed += skipped.length;
  else counts.skipped = skipped.length;
  // Errors that belong to no test, or no tests at all.
  if (!good && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Runs a script out of node_modules to its end; true if it says that all is well. */
function run(title, [script, ...args]) {
  console.log(`\n== ${title}`);
  return new Promise((resolve) => {
    // The pinned Node first, so that tests which say `node` get it as well.
    const PATH = [dirname(node), process.env.PATH].join(delimiter);
    running = spawn(node, [join(ROOT, 'node_modules', script), ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, PATH },
    });
    const timer = setTimeout(() => {
      console.error(`${title}: still running after ${TIME_LIMIT_MS / 60_000} minutes, ended.`);
      running.kill('SIGKILL');
    }, deadline - Date.now());
    running.on('error', (error) => console.error(`${title}: ${error.message}`));
    running.on('close', (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}
