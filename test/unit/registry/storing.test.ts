import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import { Storing } from '../../../src/registry/storing.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { recordedLog } from '../../helpers/registry.ts';

/** What has become of a store that fails from now on until it is told not to. */
function watched() {
  const clock = new FakeClock();
  const { log, lines } = recordedLog();
  const inner = createMemoryStore();
  const state = { broken: false, failures: 0, trouble: undefined as VaneError | undefined };
  const attempt = () => {
    state.trouble = state.broken ? new VaneError('STORE_FAILED', 'disk full') : undefined;
    if (state.broken) state.failures += 1;
  };
  const store = Object.defineProperties(
    { ...inner, settle: async () => attempt() },
    { trouble: { get: () => state.trouble }, failures: { get: () => state.failures } },
  );
  const storing = new Storing({ store, clock, log });
  const commit = () => {
    attempt();
    return storing.after(state.trouble ? Promise.reject(state.trouble) : Promise.resolve(7));
  };
  return { clock, lines, state, storing, commit };
}

test('a store that fails is told of once, and again once it works, and tries by itself in between', async () => {
  const { clock, lines, state, storing, commit } = watched();
  await expect(commit()).resolves.toBe(7);
  expect([storing.works, clock.pending]).toEqual([true, 0]);
  state.broken = true;
  await expect(commit()).rejects.toThrow('disk full');
  await expect(commit()).rejects.toThrow('disk full');
  await clock.advanceAsync(10_000);
  expect([storing.works, storing.failures]).toEqual([false, 12]);
  expect(lines).toMatchObject([{ level: 'error', fields: { error: 'disk full' } }]);
  state.broken = false;
  await clock.advanceAsync(1_000);
  expect(storing.works).toBe(true);
  expect(lines.slice(1)).toMatchObject([{ level: 'info', message: 'registry is stored again' }]);
  expect(clock.pending).toBe(0);
});

test('nothing is tried after the end', async () => {
  const { clock, state, storing, commit } = watched();
  state.broken = true;
  await expect(commit()).rejects.toThrow('disk full');
  storing.stop();
  expect(clock.pending).toBe(0);
  await expect(commit()).rejects.toThrow('disk full');
  expect(clock.pending).toBe(0);
});
