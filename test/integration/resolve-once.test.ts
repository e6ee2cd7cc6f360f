import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { needs } from '../helpers/needs.ts';
import { startProgram } from '../helpers/program.ts';
import { ROOT } from '../helpers/source-tree.ts';

const EXAMPLE = join(ROOT, 'haproxy-examples/resolve-once');

/** The ports that the example's files name; the test gives each a free one. */
const PORTS: readonly number[] = [8081, 8082, 8083, 8404, 8500, 8600, 9001];

needs('haproxy', 'haproxy').test(
  'when an instance moves, HAProxy that resolved once answers 503; with resolvers it follows, as Vane does',
  async () => {
    using example = await exampleOnFreePorts();
    const { file, port } = example;
    const registry = { VANE_REGISTRY_HTTP: `127.0.0.1:${port(8500)}` };
    const web = (name: string, host: string) =>
      startProgram(
        process.execPath,
        ['haproxy-examples/quickstart/web.mjs', name, `${host}:${port(9001)}`],
        registry,
      );
    const answers = () =>
      Promise.all(
        [8081, 8082, 8083].map(async (door) => {
          const response = await fetch(`http://127.0.0.1:${port(door)}/`);
          const text = await response.text();
          return response.ok ? text.replace(/,.*\n/, '') : response.status;
        }),
      );

    await using vane = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', file('vane.yaml')]);
    await eventually(async () => {
      const ready = await fetch(`http://127.0.0.1:${port(8404)}/readyz`).catch(() => undefined);
      expect(ready?.ok, vane.output()).toBe(true);
    }, 20_000);
    await using old = web('old', '127.0.0.2');
    await old.says(/^old is process/m);
    await using once = startProgram('haproxy', ['-f', file('haproxy-1.5.cfg')]);
    await using again = startProgram('haproxy', ['-f', file('haproxy-1.6.cfg')]);
    const running = () => `${once.output()}${again.output()}${vane.output()}`;
    await eventually(
      async () =>
        expect(await answers(), running()).toEqual(['Hello from old', 'Hello from old', 'Hello from old']),
      20_000,
    );

    old.signal('SIGKILL');
    await old.ended;
    await using fresh = web('new', '127.0.0.3');
    await fresh.says(/^new is process/m);
    await eventually(
      async () => expect(await answers(), running()).toEqual([503, 'Hello from new', 'Hello from new']),
      40_000,
    );
  },
  90_000,
);

/** A copy of the example in a folder of its own, on ports that nobody has. */
async function exampleOnFreePorts() {
  const free = await freeAddresses(PORTS.length);
  const ports = new Map(PORTS.map((port, i) => [port, free[i]?.split(':')[1] ?? '']));
  const folder = mkdtempSync(join(tmpdir(), 'vane-resolve-once-'));
  for (const name of ['vane.yaml', 'haproxy-1.5.cfg', 'haproxy-1.6.cfg']) {
    const text = readFileSync(join(EXAMPLE, name), 'utf8');
    const moved = text.replace(/:(\d{4})\b/g, (_, port: string) => `:${ports.get(Number(port))}`);
    writeFileSync(join(folder, name), moved);
  }
  return {
    file: (name: string) => join(folder, name),
    port: (port: number) => ports.get(port),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
