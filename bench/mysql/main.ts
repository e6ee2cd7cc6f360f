// npm run bench -- mysql [NAME…]: mysql-vip beside HAProxy in mode tcp, over real sockets.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cores, hasProgram, machine, vaneVersion, versionOf } from '../machine.ts';
import { BENCH, ROOT } from '../paths.ts';
import { Processes } from '../processes.ts';
import { json, printPart } from '../registry/report.ts';
import { type Part, reaches } from '../registry/result.ts';
import { clearProgress, progressLine } from '../report/print.ts';
import { idleSessions } from './idle-sessions.ts';
import { latency } from './latency.ts';
import { startMariadb } from './mariadb.ts';
import type { Place } from './place.ts';
import { largeResults, sysbench } from './work.ts';

const PARTS: Readonly<Record<string, (place: Place) => Promise<Part | undefined>>> = {
  sysbench,
  'large-results': largeResults,
  latency,
  'idle-sessions': idleSessions,
};
const USAGE = `npm run bench -- mysql [${Object.keys(PARTS).join(' | ')}]… [--quick]

  --quick   one short round, few sessions: does it all work?`;

/** What the process itself needs of open files, beside two for each session. */
const OTHER_FILES = 300;

const processes = new Processes();
const folder = mkdtempSync(join(tmpdir(), 'vane-bench-'));
// However this ends, nothing that it has started or written to the folder stays.
process.on('exit', () => {
  processes.killAll();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => processes.endAll().finally(() => process.exit(1)));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, help: { type: 'boolean' } },
});
const wanted = positionals.length > 0 ? positionals : Object.keys(PARTS);
if (values.help || wanted.some((name) => !(name in PARTS))) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
if (!hasProgram('mariadbd') || !hasProgram('mariadb-install-db')) {
  console.log('Nothing was measured: mariadbd is missing (apt-get install mariadb-server)');
  process.exit(2);
}

const quick = values.quick ?? false;
const before = { at: new Date(), machine: machine(), version: vaneVersion(ROOT) };
const pinned = cores();
const files = Number(await processes.run({ program: 'sh', args: ['-c', 'ulimit -Hn'] }, 1_000)) || Infinity;
const sessions = quick ? 1_000 : Math.min(10_000, Math.floor((files - OTHER_FILES) / 2));
const { port } = await startMariadb({ processes, cores: pinned, folder });
const place: Place = {
  ...{ processes, cores: pinned, folder, progress: progressLine, port, sessions },
  ...{ seconds: quick ? 1 : 5, rounds: quick ? 1 : 5 },
};
const parts: Part[] = [];
for (const name of wanted) {
  const part = await PARTS[name]?.(place);
  clearProgress();
  if (part === undefined) continue;
  printPart(part);
  parts.push(part);
}
await processes.endAll();
const servers = {
  mariadb: versionOf('mariadbd', ['--version'], /Ver ([\d.]+)/),
  haproxy: hasProgram('haproxy') ? versionOf('haproxy', ['-v'], /version ([\d.]+)/) : undefined,
};
writeFileSync(
  `${BENCH}mysql/results.json`,
  json({ ...before, ...servers, pinned: pinned.proxy !== undefined, parts }),
);
console.log('\nAll of it: bench/mysql/results.json');
process.exit(parts.some(({ figures }) => figures.some((figure) => reaches(figure) === false)) ? 1 : 0);
