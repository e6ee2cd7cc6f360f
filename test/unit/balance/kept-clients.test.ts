import { describe, expect, test } from 'vitest';
import { Members } from '../../../src/balance/members.ts';
import { newServerState, nextState, type ServerEvent } from '../../../src/balance/state.ts';

const DRAIN = 30_000;
const down: ServerEvent = { kind: 'health', up: false, why: 'L4CON' };
const up: ServerEvent = { kind: 'health', up: true, why: 'L4OK' };
const absent: ServerEvent = { kind: 'discovery', present: false, why: 'deregistered' };
const idle: ServerEvent = { kind: 'idle' };
const late: ServerEvent = { kind: 'tick' };
const operator = (mode: 'ready' | 'drain' | 'maint'): ServerEvent => ({ kind: 'operator', mode, why: mode });

/** What became of a server to which clients belong, an hour after each event. */
function after(...events: readonly ServerEvent[]): string {
  let state = newServerState('found', 0);
  for (const [i, event] of events.entries())
    state = nextState(state, event, (i + 1) * 3_600_000, DRAIN, true);
  return `${state.work}${state.keeps ? ', keeps' : ''}${state.drainDeadline === undefined ? '' : ', ends'}`;
}

describe('a server to which clients belong', () => {
  test.each<[string, readonly ServerEvent[], string]>([
    ['drained by an operator', [operator('drain')], 'draining, keeps'],
    ['drained, and idle in between', [operator('drain'), idle, late], 'draining, keeps'],
    ['drained, then in maintenance', [operator('drain'), operator('maint')], 'draining, ends'],
    ['in maintenance, with nothing left', [operator('maint'), idle], 'closed'],
    ['in maintenance, then drained', [operator('maint'), idle, operator('drain')], 'draining, keeps'],
    ['drained, then down', [operator('drain'), down], 'draining, ends'],
    ['drained, down and done', [operator('drain'), down, idle], 'closed'],
    ['drained, down and up again', [operator('drain'), down, idle, up], 'draining, keeps'],
    ['drained, then gone', [operator('drain'), absent, idle], 'closed'],
    ['drained, then ready', [operator('drain'), operator('ready')], 'open'],
    ['down', [down], 'draining, ends'],
    ['down, then drained', [down, operator('drain')], 'draining, ends'],
    ['gone', [absent], 'draining, ends'],
  ])('%s: %s', (_, events, expected) => expect(after(...events)).toBe(expected));
});

test('the data plane hears of a server that keeps its clients until it keeps them no more', () => {
  const members = new Members();
  members.setSources(['web'], 0);
  const candidate = {
    ...{ name: 'web-1', address: '10.0.0.1', port: 80, weight: 1, tier: 0, backup: false, maxconn: 0 },
    drain: DRAIN,
    sticky: true,
    cookie: 's1',
  };
  members.discover('web', [candidate], { present: 'found', absent: () => 'gone' }, 0);
  const [id = ''] = members.ids;
  const told = () =>
    members.snapshots().map(({ admission, keeps, cookie }) => ({ admission, keeps, cookie }));
  expect(told()).toEqual([{ admission: 'open', keeps: undefined, cookie: 's1' }]);
  members.operator(id, 'drain', 'deploy', 1);
  expect(told()).toEqual([{ admission: 'draining', keeps: true, cookie: 's1' }]);
  expect(members.nextDeadline()).toBeUndefined();
  members.idle(id, 2);
  members.tick(1e9);
  expect(told()).toHaveLength(1);
  members.operator(id, 'maint', 'deploy', 1e9);
  expect(told()).toEqual([{ admission: 'draining', keeps: undefined, cookie: 's1' }]);
  expect(members.nextDeadline()).toBe(1e9 + DRAIN);
  members.idle(id, 1e9 + 1);
  expect(told()).toEqual([]);
  members.operator(id, 'drain', 'deploy', 2e9);
  expect(told()).toEqual([{ admission: 'draining', keeps: true, cookie: 's1' }]);
});
