// npm run bench -- registry [NAME…]: the registry at scale, over real sockets. See docs/registry-performance.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cores, machine, vaneVersion } from '../machine.ts';
import { BENCH, ROOT } from '../paths.ts';
import { Processes } from '../processes.ts';
import { clearProgress, progressLine } from '../report/print.ts';
import { changeCost } from './change-cost.ts';
import { checks } from './checks.ts';
import { registrations } from './registrations.ts';
import { json, page, printPart } from './report.ts';
import { type Part, reaches } from './result.ts';
import type { Site } from './site.ts';
import type { Place } from './vane-process.ts';
import { watchers } from './watchers.ts';

const PARTS: Readonly<Record<string, (place: Place, site: Site) => Promise<Part>>> = {
  checks,
  watchers,
  registrations,
  'change-cost': changeCost,
};
const USAGE = `npm run bench -- registry [${Object.keys(PARTS).join(' | ')}]… [--quick] [--docs]

  --quick   a tenth of the services, for a short time: does it all work?
  --docs    write docs/registry-performance.md, which only a full run does by itself`;

const SITE: Site = { services: 1_000, instances: 20 };
const QUICK: Site = { services: 100, instances: 20 };

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
  options: { quick: { type: 'boolean' }, docs: { type: 'boolean' }, help: { type: 'boolean' } },
});
const wanted = positionals.length > 0 ? positionals : Object.keys(PARTS);
if (values.help || wanted.some((name) => !(name in PARTS))) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}

const quick = values.quick ?? false;
const before = { at: new Date(), machine: machine(), version: vaneVersion(ROOT) };
const pinned = cores();
const place = { processes, cores: pinned, folder, progress: progressLine, seconds: quick ? 5 : 30 };
const parts: Part[] = [];
for (const name of wanted) {
  const part = await PARTS[name]?.(place, quick ? QUICK : SITE);
  if (part === undefined) continue;
  clearProgress();
  printPart(part);
  parts.push(part);
}
await processes.endAll();
const run = { ...before, pinned: pinned.proxy !== undefined, parts };
writeFileSync(`${BENCH}registry/results.json`, json(run));
console.log('\nAll of it: bench/registry/results.json');
if (values.docs ?? (!quick && positionals.length === 0)) {
  writeFileSync(`${ROOT}docs/registry-performance.md`, page(run));
  console.log('Written: docs/registry-performance.md');
}
process.exit(parts.some(({ figures }) => figures.some((figure) => reaches(figure) === false)) ? 1 : 0);
