import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { isRunning, type Program, startProgram } from '../helpers/program.ts';
import { type Doors, freeDoors } from '../helpers/quickstart.ts';

const START = 'haproxy-examples/quickstart/start.mjs';

describe('the quickstart', () => {
  test('answers from three instances, survives a crash of one, and stops without a trace', async () => {
    const doors = await freeDoors();
    await using program = startProgram(process.execPath, [START], doors);
    await ready(program);
    const instances = instancesOf(program);
    expect([...instances.keys()].sort()).toEqual(['web-1', 'web-2', 'web-3']);
    await eventually(async () => expect(await answers(doors, 6)).toEqual(new Set(instances.keys())));

    process.kill(instances.get('web-2') ?? Number.NaN, 'SIGKILL');
    // From the first request on, with no time for anybody to notice.
    expect(await answers(doors, 30)).toEqual(new Set(['web-1', 'web-3']));

    program.signal('SIGINT');
    expect(await program.ended).toBe(0);
    expect([...instances.values()].filter(isRunning)).toEqual([]);
    await expect(fetch(`http://${doors.VANE_STATS}/healthz`)).rejects.toThrow();
  });

  test('an instance that leaves finishes what it is doing', async () => {
    const doors = await freeDoors();
    await using program = startProgram(process.execPath, [START], doors);
    await ready(program);
    // An instance has it and began to answer; whichever that is, all of them leave.
    const slow = await fetch(`http://${doors.VANE_FRONTEND}/slow`);
    const instances = instancesOf(program);
    for (const pid of instances.values()) process.kill(pid, 'SIGTERM');
    expect(await slow.text()).toMatch(/^(web-\d) is thinking…\nHello from \1,/);
    await eventually(() => expect([...instances.values()].filter(isRunning)).toEqual([]));
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
  });

  test('ends as Vane ends, and leaves nobody behind', async () => {
    const doors = await freeDoors();
    await using program = startProgram(process.execPath, [START], doors);
    const vane = await ready(program);
    const instances = instancesOf(program);
    process.kill(vane, 'SIGKILL');
    expect(await program.ended).toBe(137);
    expect([...instances.values()].filter(isRunning)).toEqual([]);
  });

  test('leaves nobody behind when it is killed itself', async () => {
    const doors = await freeDoors();
    await using program = startProgram(process.execPath, [START], doors);
    const vane = await ready(program);
    const pids = [...instancesOf(program).values(), vane];
    expect(pids.every(isRunning)).toBe(true);
    program.signal('SIGKILL');
    await eventually(() => expect(pids.filter(isRunning)).toEqual([]), 20_000);
  });

  test('says which address is taken, and starts nothing', async () => {
    const doors = await freeDoors();
    const [host, port] = doors.VANE_REGISTRY_HTTP.split(':');
    await using squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(Number(port), host, resolve));
    await using program = startProgram(process.execPath, [START], doors);
    expect(await program.ended).toBe(1);
    expect(program.output()).toContain(`${doors.VANE_REGISTRY_HTTP}, for the Consul HTTP API: taken`);
    expect(program.output()).toContain('VANE_REGISTRY_HTTP=HOST:PORT npm start');
  });
});

/** Waits until everything runs; the process id of Vane. */
async function ready(program: Program): Promise<number> {
  const [, pid] = await program.says(/^Ready: Vane is process (\d+)/m);
  return Number(pid);
}

/** Process ids of the instances by name, as they said them. */
function instancesOf(program: Program): Map<string, number> {
  const said = program.output().matchAll(/^(web-\d) is process (\d+)/gm);
  return new Map([...said].map(([, name = '', pid]) => [name, Number(pid)]));
}

/** The names that `count` requests are answered by; every one of them must be. */
async function answers(doors: Doors, count: number): Promise<Set<string>> {
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const response = await fetch(`http://${doors.VANE_FRONTEND}/`);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    names.add(text.match(/^Hello from (web-\d)/)?.[1] ?? text);
  }
  return names;
}
