import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isGone,
  mayWork,
  newServerState,
  nextState,
  reasonOf,
  type ServerEvent,
  type ServerState,
} from '../../../src/balance/state.ts';

const DRAIN = 30_000;
const absent: ServerEvent = { kind: 'discovery', present: false, why: 'deregistered' };
const present: ServerEvent = { kind: 'discovery', present: true, why: 'registered' };
const down: ServerEvent = { kind: 'health', up: false, why: 'L4CON' };
const up: ServerEvent = { kind: 'health', up: true, why: 'L4OK' };
const maint: ServerEvent = { kind: 'operator', mode: 'maint', why: 'deploy' };
const drain: ServerEvent = { kind: 'operator', mode: 'drain', why: 'deploy' };
const ready: ServerEvent = { kind: 'operator', mode: 'ready', why: 'done' };

function stateAfter(...events: ServerEvent[]): ServerState {
  return events.reduce(
    (state, event, i) => nextState(state, event, i + 1, DRAIN),
    newServerState('found', 0),
  );
}

describe('work', () => {
  test.each([
    ['nothing', [], 'open'],
    ['vanished', [absent], 'draining'],
    ['failed its check', [down], 'draining'],
    ['put into maintenance', [maint], 'draining'],
    ['put into drain', [drain], 'draining'],
    ['back within the drain', [absent, present], 'open'],
    ['back, but meanwhile down', [absent, down, present], 'draining'],
    ['idle after it vanished', [absent, { kind: 'idle' }], 'closed'],
    ['idle while open', [{ kind: 'idle' }], 'open'],
    ['drained, then well again', [down, { kind: 'idle' }, up], 'open'],
    ['maintenance outlasts a recovery', [down, maint, up], 'draining'],
    ['ready ends maintenance', [maint, { kind: 'idle' }, ready], 'open'],
  ] as [string, ServerEvent[], string][])('%s', (_, events, work) => {
    expect(stateAfter(...events).work).toBe(work);
  });

  test('a drain ends at its deadline, which later bad news do not move', () => {
    const state = stateAfter(absent, down, maint);
    expect(state.drainDeadline).toBe(1 + DRAIN);
    expect(nextState(state, { kind: 'tick' }, DRAIN, DRAIN)).toBe(state);
    expect(nextState(state, { kind: 'tick' }, 1 + DRAIN, DRAIN).work).toBe('closed');
  });

  test('only an absent server can be gone', () => {
    expect(isGone(stateAfter(down, { kind: 'idle' }))).toBe(false);
    expect(isGone(stateAfter(down, { kind: 'idle' }, absent))).toBe(true);
    expect(isGone(stateAfter(absent))).toBe(false);
  });

  test('the reason names the source that keeps it out', () => {
    expect(reasonOf(stateAfter(down, maint).facts)).toEqual({ source: 'operator', why: 'deploy' });
    expect(reasonOf(stateAfter(down).facts)).toEqual({ source: 'health', why: 'L4CON' });
    expect(reasonOf(stateAfter(absent).facts)).toEqual({ source: 'discovery', why: 'deregistered' });
    expect(reasonOf(stateAfter(down, up).facts)).toEqual({ source: 'health', why: 'L4OK' });
  });
});

test('after any events the facts are the last ones told, and work agrees with them', () => {
  const event = fc.constantFrom<ServerEvent>(
    absent,
    present,
    down,
    up,
    maint,
    drain,
    ready,
    { kind: 'idle' },
    { kind: 'tick' },
    { kind: 'panic', on: true, why: '' },
    { kind: 'panic', on: false, why: '' },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(event, fc.integer({ min: 0, max: 40_000 })), { maxLength: 40 }),
      (steps) => {
        let state = newServerState('found', 0);
        let now = 0;
        const told = { present: true, up: true, mode: 'ready', panic: false };
        for (const [step, wait] of steps) {
          now += wait;
          const before = state;
          state = nextState(state, step, now, DRAIN);
          if (step.kind === 'discovery') told.present = step.present;
          if (step.kind === 'health') told.up = step.up;
          if (step.kind === 'operator') told.mode = step.mode;
          if (step.kind === 'panic') told.panic = step.on;
          expect(mayWork(state.facts, state.panic)).toBe(state.work === 'open');
          expect(state.work === 'open').toBe(
            told.present && told.mode === 'ready' && (told.up || told.panic),
          );
          expect(state.drainDeadline !== undefined).toBe(state.work === 'draining');
          if (before.work === 'closed') expect(state.work).not.toBe('draining');
        }
        expect(state.facts.discovery.present).toBe(told.present);
        expect(state.facts.health.up).toBe(told.up);
        expect(state.facts.operator.mode).toBe(told.mode);
      },
    ),
  );
});
