import { describe, expect, test } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { type Program, startProgram } from '../helpers/program.ts';
import { type Doors, freeDoors } from '../helpers/quickstart.ts';
import { readText } from '../helpers/source-tree.ts';

/** Makes the launcher believe that it runs on Node 20; the Node that it hands over to does not get this. */
const OLD = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.9.0' } });";
/** Node before 22.15 cannot replace itself by another program. */
const NO_EXECVE = 'process.execve = undefined;';

describe.each([
  ['on a Node that is recent enough', ''],
  ['on an older Node that can become another program', OLD],
  ['on an older Node that has to start another program', OLD + NO_EXECVE],
])('the command vane, %s,', (_, pretence) => {
  test('passes on arguments, output and exit code', async () => {
    const version = /"version": "([^"]+)"/.exec(readText('package.json'))?.[1];
    await using good = launch(pretence, ['version']);
    expect(await good.ended, good.output()).toBe(0);
    expect(good.output()).toContain(version);
    await using wrong = launch(pretence, ['no-such-command']);
    expect(await wrong.ended).toBe(2);
    expect(wrong.output()).toContain('no-such-command');
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('passes on %s, which stops it gracefully', async (signal) => {
    const doors = await freeDoors();
    await using vane = await run(pretence, doors);
    vane.signal(signal);
    expect(await vane.ended, vane.output()).toBe(0);
  });

  test('leaves nothing behind when it is killed', async () => {
    const doors = await freeDoors();
    await using vane = await run(pretence, doors);
    vane.signal('SIGKILL');
    expect(await vane.ended).toBe('SIGKILL');
    await eventually(async () => {
      await expect(fetch(`http://${doors.VANE_STATS}/healthz`)).rejects.toThrow();
    }, 20_000);
  });
});

function launch(
  pretence: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const first = pretence === '' ? [] : ['--import', `data:text/javascript,${encodeURIComponent(pretence)}`];
  return startProgram(process.execPath, [...first, 'src/bin/vane.mjs', ...args], env);
}

async function run(pretence: string, doors: Doors): Promise<Program> {
  const vane = launch(pretence, ['run', '-f', 'haproxy-examples/quickstart/vane.yaml'], doors);
  await eventually(async () => {
    const ready = await fetch(`http://${doors.VANE_STATS}/readyz`).catch(() => undefined);
    expect(ready?.ok, vane.output()).toBe(true);
  }, 20_000);
  return vane;
}
