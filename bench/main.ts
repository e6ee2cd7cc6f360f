// The benchmark: Vane beside HAProxy, nginx and proxies in Node, under the same load. See docs/performance.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Options, parseOptions, USAGE, UsageError } from './options.ts';
import { BENCH, ROOT } from './paths.ts';
import { ALL_PEERS } from './peers/all.ts';
import { Processes } from './processes.ts';
import { chart } from './report/chart.ts';
import { json } from './report/json.ts';
import { page } from './report/page.ts';
import { printRun } from './report/print.ts';
import { runBenchmark } from './run-benchmark.ts';
import { ALL_SCENARIOS } from './scenarios/all.ts';

const processes = new Processes();
const folder = mkdtempSync(join(tmpdir(), 'vane-bench-'));
// However this ends, nothing that it has started or written to the folder stays.
process.on('exit', () => {
  processes.killAll();
  rmSync(folder, { recursive: true, force: true });
});
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // A terminal tells this process and npm, and npm tells it again.
    if (interrupted) return;
    interrupted = true;
    console.error(`\n${signal}: ending everything.`);
    processes.endAll().finally(() => process.exit(1));
  });
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') console.log(USAGE);
  else if (options === 'list') list();
  else await bench(options);
} catch (error) {
  if (error instanceof UsageError) {
    console.error(error.message);
    process.exitCode = 2;
  } else if (!interrupted) throw error;
}

async function bench(options: Options): Promise<void> {
  try {
    const run = await runBenchmark(options, processes, folder);
    printRun(run);
    writeFileSync(`${BENCH}results.json`, json(run));
    console.log('\nEvery sample: bench/results.json');
    if (!options.docs) return;
    writeFileSync(`${ROOT}docs/performance.md`, page(run));
    writeFileSync(`${ROOT}docs/performance.svg`, chart(run.outcomes));
    console.log('Written: docs/performance.md, docs/performance.svg');
  } finally {
    await processes.endAll();
  }
}

function list(): void {
  console.log('Scenarios:');
  for (const { name, how } of ALL_SCENARIOS) console.log(`  ${name.padEnd(20)}${how}`);
  console.log('Peers:');
  for (const { name, title } of ALL_PEERS) console.log(`  ${name.padEnd(20)}${title}`);
}
