import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { workerPids } from '../helpers/drill-workers.ts';
import { startProgram } from '../helpers/program.ts';

/** What is needed by some only, each several megabytes of memory. */
const DEAR = ['mysql2', 'ioredis', 'pino-pretty', 'node:internal/deps/undici/undici'];

test('what a configuration does not ask for is not loaded, in no process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vane-modules-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'vane.yaml');
  writeFileSync(
    file,
    `
global: { workers: 1, stats: { bind: "127.0.0.1:0" } }
registry: { http: "127.0.0.1:0", dns: off, store: memory }
frontends: { www: { bind: ["127.0.0.1:0"], default_backend: web } }
backends: { web: { servers: ["127.0.0.1:9"] } }
`,
  );
  await using vane = startProgram('node', ['src/bin/vane.mjs', 'run', '-f', file], {
    NODE_OPTIONS: '--import ./test/helpers/loaded-modules.mjs',
    LOADED_MODULES: folder,
  });
  await vane.says(/vane is ready/);
  const pids = [vane.pid, ...workerPids(vane.output())];
  expect(pids).toHaveLength(2);
  vane.signal('SIGTERM');
  expect(await vane.ended).toBe(0);
  for (const pid of pids) {
    const loaded = readFileSync(join(folder, String(pid)), 'utf8').split('\n');
    expect(loaded).toContain('node:net');
    expect(loaded.filter((name) => DEAR.includes(name))).toEqual([]);
  }
});
