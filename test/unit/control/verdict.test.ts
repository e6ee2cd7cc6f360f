import { describe, expect, test } from 'vitest';
import { adviceOf, type CheckEvidence, verdictOf } from '../../../src/control/verdict.ts';
import type { ServerAgentFacts } from '../../../src/health/server-agents.ts';

const good: CheckEvidence = { up: true, stopping: false, why: 'Layer4 check passed', row: 3 };
const bad: CheckEvidence = { up: false, stopping: false, why: 'Layer4 timeout', row: 1 };
const agent = (facts: Partial<ServerAgentFacts>): ServerAgentFacts => ({
  ...{ up: true, why: 'agent said "x"', lastCode: 'L7OK', durationMs: 1, desc: '', info: '' },
  ...facts,
});
const roundrobin = { kind: 'roundrobin' } as const;

describe('a check and an agent together', () => {
  test.each<[string, CheckEvidence | undefined, ServerAgentFacts | undefined, boolean, string]>([
    ['neither', undefined, undefined, true, 'not checked'],
    ['a good check', good, undefined, true, 'Layer4 check passed, 3 in a row'],
    ['a bad check', bad, undefined, false, 'Layer4 timeout'],
    ['a bad check, which no agent takes back', bad, agent({ up: true }), false, 'Layer4 timeout'],
    ['an agent that says down, whatever checks find', good, agent({ up: false }), false, 'agent said "x"'],
    ['an agent that says maint', good, agent({ mode: 'maint' }), false, 'agent said "x"'],
    ['an agent that says drain', good, agent({ mode: 'drain' }), true, 'Layer4 check passed, 3 in a row'],
    ['only an agent', undefined, agent({}), true, 'agent said "x"'],
    [
      'a server that wants no new work',
      { ...good, stopping: true },
      undefined,
      true,
      'Layer4 check passed: no new work, 3 in a row',
    ],
  ])('%s', (_, check, said, up, why) => expect(verdictOf(check, said)).toEqual({ up, why }));
});

describe('what they say of its share', () => {
  test('drain, 404 and a weight of 0 hold new work back', () => {
    const held = (check: CheckEvidence, said: ServerAgentFacts) => adviceOf(check, said, roundrobin).held;
    expect(held(good, agent({ mode: 'drain' }))).toBe(true);
    expect(held({ ...good, stopping: true }, agent({}))).toBe(true);
    expect(held(good, agent({ weight: { percent: 0 } }))).toBe(true);
    expect(held(good, agent({ mode: 'ready', weight: { percent: 1 } }))).toBe(false);
  });

  test.each([
    [roundrobin, { percent: 50 }],
    [{ kind: 'leastconn' } as const, { percent: 50 }],
    [{ kind: 'static-rr' } as const, undefined],
    [{ kind: 'first' } as const, undefined],
  ])('%j takes %j of an agent', (balance, weight) => {
    const said = agent({ weight: { percent: 50 }, maxconn: 7 });
    expect(adviceOf(good, said, balance)).toEqual({ agent: weight, maxconn: 7, held: false });
  });
});
