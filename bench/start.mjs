// npm run bench: installs what only the benchmark needs (once) and runs it under the Node that Vane is pinned to.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from '../.ci/ensure.mjs';

const BENCH = fileURLToPath(new URL('.', import.meta.url));

const node = ensureInstalled();
const env = { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) };
/** Suites that need nothing but Vane. */
const ALONE = ['balance', 'checks', 'discovery', 'mysql', 'registry'];
const [first, ...rest] = process.argv.slice(2);
const alone = ALONE.includes(first);
if (!alone && !isInstalled()) install();
const args = alone ? [`${first}/main.ts`, ...rest] : ['main.ts', ...process.argv.slice(2)];
const child = spawn(node, [join(BENCH, args[0]), ...args.slice(1)], { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));

/** Whether what stands in bench/node_modules is what bench/package.json pins. */
function isInstalled() {
  const { dependencies } = JSON.parse(readFileSync(join(BENCH, 'package.json'), 'utf8'));
  return Object.entries(dependencies).every(([name, version]) => installedVersion(name) === version);
}

function installedVersion(name) {
  try {
    return JSON.parse(readFileSync(join(BENCH, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Without them the benchmark runs all the same: it names the peers that are missing. */
function install() {
  console.log('Installing the Node proxies to compare with (once)…');
  const { status, stdout, stderr, error } = spawnSync('npm', ['ci'], { cwd: BENCH, encoding: 'utf8', env });
  if (status !== 0) console.error(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}npm ci failed.`);
}
