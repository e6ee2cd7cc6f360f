import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ROOT, readText } from '../helpers/source-tree.ts';
import { differenceIn } from './comparison.ts';
import { NOT_YET } from './not-yet.ts';
import { type Answers, readGroups, readRecordings, type Scenario, type Step } from './scenario.ts';
import { Vanes } from './vane.ts';

// What a real Consul answered, and Vane has to; README.md says how the scenarios are written.

const folder = join(ROOT, 'test/conformance');
const groups = readGroups(join(folder, 'scenarios'));
const recordings = readRecordings(join(folder, 'recorded'));
const scenarios = groups.flatMap((group) => group.scenarios);

const DOCUMENT = 'docs/consul-compatibility.md';
/** The table's rows begin with the name of a scenario. */
const onPurpose = new Set(
  [...readText(DOCUMENT).matchAll(/^\| `([a-z-]+\/[a-z0-9-]+)` \|/gm)].map(([, name = '']) => name),
);

/** These wait for a minute and more. */
const inCi = process.env.CI === 'true';

const vanes = new Vanes();
afterAll(() => vanes.stop());

test('what is listed as different exists, and once', () => {
  const names = new Set(scenarios.map(({ name }) => name));
  const listed = [...Object.keys(NOT_YET), ...onPurpose];
  expect(listed.filter((name, at) => !names.has(name) || listed.indexOf(name) !== at)).toEqual([]);
});

test('a difference is noticed, and says where it is', async () => {
  const scenario = scenarios.find(({ name }) => name === 'agent-misc/force-leave-unknown');
  if (!scenario) throw new Error('the scenario is gone');
  const told = (answers: Answers) =>
    vanes.use(({ target, self }) => differenceIn(scenario, answers, target, self));
  const good = { status: 500, type: 'text/plain; charset=utf-8' };
  const text = "agent: No node found with name 'cfam06'";
  expect(await told({ unknown: { ...good, text } })).toBeUndefined();
  expect(await told({ unknown: { ...good, text: 'no' } })).toMatch(
    /^unknown.text: expected "no", got "agent: /,
  );
  expect(await told({ unknown: { ...good, text }, more: {} })).toBe('no answer to compare for more');
});

for (const { title, scenarios: all } of groups) {
  describe.concurrent(title, () => {
    for (const scenario of all) {
      const { name, slow = false } = scenario;
      // It would be watched for minutes that something does not happen.
      if (slow && onPurpose.has(name)) continue;
      const options = {
        timeout: (scenario.limitMs ?? 60_000) + 60_000,
        retry: measuresTime(scenario) ? 2 : 0,
      };
      test.skipIf(slow && !inCi)(name, options, async () => {
        const difference = await vanes.use(({ target, self }) =>
          differenceIn(scenario, recordings.get(name), target, self),
        );
        judge(name, difference);
      });
    }
  });
}

function judge(name: string, difference: string | undefined): void {
  const list = onPurpose.has(name) ? DOCUMENT : name in NOT_YET ? 'not-yet.ts' : undefined;
  if (list === undefined) expect(difference, `${name} differs at ${difference}`).toBeUndefined();
  else expect(difference, `${name} answers as Consul does: take it off the list in ${list}`).toBeDefined();
}

/** Whether a scenario counts on how long something takes, which other load on the machine can spoil. */
function measuresTime({ steps }: Scenario): boolean {
  const measures = ({ timing, sleep, serveLog, repeat, blocking }: Step): boolean =>
    timing !== undefined ||
    sleep !== undefined ||
    serveLog?.count === true ||
    (repeat?.steps ?? blocking?.steps ?? []).some(measures);
  return steps.some(measures);
}
