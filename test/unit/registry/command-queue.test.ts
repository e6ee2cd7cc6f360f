import { describe, expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { CommandQueue, type Scope } from '../../../src/registry/command-queue.ts';
import { settle } from '../../helpers/fake-clock.ts';

/** Commands that run until they are told to end. */
function commands() {
  const queue = new CommandQueue();
  const started: string[] = [];
  const end = new Map<string, () => void>();
  const add = (name: string, scope: Scope) =>
    queue.run(
      () => scope,
      async () => {
        started.push(name);
        await new Promise<void>((resolve) => end.set(name, resolve));
        return name;
      },
    );
  const finish = async (name: string) => {
    end.get(name)?.();
    await settle();
  };
  return { queue, started, add, finish };
}

describe('CommandQueue', () => {
  test('starts at once what shares nothing with what runs, and keeps the order otherwise', async () => {
    const { started, add, finish } = commands();
    const all = [add('1', ['a', 'b']), add('2', ['c']), add('3', ['b']), add('4', ['d'])];
    // 4 is free to go, but came after 3.
    expect(started).toEqual(['1', '2']);
    await finish('2');
    expect(started).toEqual(['1', '2']);
    await finish('1');
    expect(started).toEqual(['1', '2', '3', '4']);
    await finish('3');
    await finish('4');
    expect(await Promise.all(all)).toEqual(['1', '2', '3', '4']);
  });

  test('runs alone what touches everything', async () => {
    const { started, add, finish } = commands();
    const all = [add('1', ['a']), add('2', 'everything'), add('3', ['b']), add('4', 'everything')];
    expect(started).toEqual(['1']);
    await finish('1');
    expect(started).toEqual(['1', '2']);
    await finish('2');
    expect(started).toEqual(['1', '2', '3']);
    await finish('3');
    await finish('4');
    await Promise.all(all);
  });

  test('asks for a scope when it is the turn of a command, not before', async () => {
    const { queue, started, add, finish } = commands();
    let scope: Scope = ['a'];
    const first = add('1', ['a']);
    const second = queue.run(
      () => scope,
      async () => started.push('2'),
    );
    scope = ['b'];
    const third = add('3', ['c']);
    await settle();
    expect(started).toEqual(['1', '2', '3']);
    await finish('1');
    await finish('3');
    await Promise.all([first, second, third]);
  });

  test('goes on after a command that fails, also before its first wait', async () => {
    const { queue, add, finish } = commands();
    const failing = queue.run(
      () => ['a'],
      () => {
        throw new Error('no');
      },
    );
    const next = add('next', ['a']);
    await expect(failing).rejects.toThrow('no');
    await finish('next');
    expect(await next).toBe('next');
  });

  test('is idle when nothing waits or runs', async () => {
    const { queue, add, finish } = commands();
    await queue.idle();
    const running = add('1', ['a']);
    const waiting = add('2', ['a']);
    let idle = false;
    const idling = queue.idle().then(() => {
      idle = true;
    });
    queue.refuse(new VaneError('STOPPING', 'stop'));
    await expect(waiting).rejects.toThrow('stop');
    expect(idle).toBe(false);
    await finish('1');
    await Promise.all([running, idling]);
  });
});
