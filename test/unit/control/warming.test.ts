import { expect, onTestFinished, test } from 'vitest';
import { type Candidate, Members, type Transition } from '../../../src/balance/members.ts';
import { Warming } from '../../../src/control/warming.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

const SLOWSTART = 10_000;
const reasons = { present: 'found', absent: () => 'lost' };

function candidate(port: number, more: Partial<Candidate> = {}): Candidate {
  return {
    ...{ name: `s${port}`, address: '10.0.0.1', port, weight: 100, tier: 0, backup: false },
    ...{ maxconn: 40, drain: 1_000, ...more },
  };
}

function setUp() {
  const clock = new FakeClock();
  const members = new Members();
  members.setSources(['web'], clock.now());
  const steps: number[] = [];
  const warming = new Warming({
    clock,
    members,
    timeOf: () => SLOWSTART,
    onStep: () => steps.push(clock.now()),
  });
  onTestFinished(() => {
    warming.stop();
    expect(clock.pending).toBe(0);
  });
  const found = (candidates: readonly Candidate[], initial: boolean) =>
    note(members.discover('web', candidates, reasons, clock.now()), initial);
  const health = (port: number, up: boolean) =>
    note(members.health(`10.0.0.1:${port}`, up, 'checked', clock.now()), false);
  const note = (transitions: readonly Transition[], initial: boolean) => warming.note(transitions, initial);
  const weights = () => members.all().map(({ snapshot }) => Math.round(snapshot.weight * 100) / 100);
  return { clock, members, steps, found, health, weights };
}

test('whoever was there from the beginning has its whole share, whoever joins begins with a twentieth', () => {
  const { clock, members, steps, found, weights } = setUp();
  found([candidate(1)], true);
  expect(weights()).toEqual([100]);
  found([candidate(1), candidate(2)], false);
  expect(weights()).toEqual([100, 5]);
  expect(members.all()[1]?.snapshot.maxconn).toBe(2);
  clock.advance(SLOWSTART / 2);
  expect(weights()).toEqual([100, 55]);
  clock.advance(SLOWSTART);
  expect(weights()).toEqual([100, 100]);
  expect(members.all()[1]?.snapshot.maxconn).toBe(40);
  // One for each step up to the last, and then no more.
  expect(steps.length).toBeLessThanOrEqual(20);
});

test('whoever recovers begins again', () => {
  const { clock, found, health, weights } = setUp();
  found([candidate(1)], true);
  health(1, false);
  health(1, true);
  expect(weights()).toEqual([5]);
  clock.advance(SLOWSTART / 2);
  health(1, false);
  clock.advance(100);
  health(1, true);
  expect(weights()).toEqual([5]);
});

test('the first good check of a server that was there from the beginning is no recovery', () => {
  const { found, health, weights } = setUp();
  found([candidate(1, { probeFirst: true })], true);
  health(1, true);
  expect(weights()).toEqual([100]);
  health(1, false);
  health(1, true);
  expect(weights()).toEqual([5]);
});
