import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { differenceIn, withoutAny } from './comparison.ts';
import type { Endpoint } from './http-exchange.ts';
import { type Answers, type Group, readGroups, readRecordings, type Scenario } from './scenario.ts';
import { runScenario } from './scenario-run.ts';
import { type Self, selfOf, type Target } from './target.ts';

// Runs the scenarios against any registry, or records the answers of one that is the reference.

const USAGE = `usage: node test/conformance/replay.ts --http HOST:PORT --dns HOST:PORT [options]
  --only TEXT   scenarios whose name contains TEXT
  --slow        also those that take a minute and more
  --record      write down the answers instead of comparing them: of the reference only
Exit code: 0 all is well, 1 something differs, 2 wrong usage.`;

const folder = import.meta.dirname;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      http: { type: 'string' },
      dns: { type: 'string' },
      only: { type: 'string', default: '' },
      slow: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  });
  const [http, dns] = [endpointOf(values.http), endpointOf(values.dns)];
  if (!http || !dns) {
    console.error(USAGE);
    return 2;
  }
  const target = { http, dns };
  const self = await selfOf(target);
  const groups = readGroups(join(folder, 'scenarios'));
  const recorded = new Map(readRecordings(join(folder, 'recorded')));
  let failed = 0;
  for (const scenario of groups.flatMap(({ scenarios }) => scenarios)) {
    const chosen = scenario.name.includes(values.only) && (values.slow || !scenario.slow);
    if (!chosen) continue;
    const problem = values.record
      ? await record(scenario, target, self, recorded)
      : await differenceIn(scenario, recorded.get(scenario.name), target, self);
    if (problem !== undefined) failed++;
    console.log(problem === undefined ? `ok   ${scenario.name}` : `FAIL ${scenario.name} at ${problem}`);
  }
  if (values.record) for (const group of groups) writeRecording(group, recorded);
  console.log(`${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function endpointOf(text = ''): Endpoint | undefined {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text) ?? [];
  return host === undefined ? undefined : { host, port: Number(port) };
}

/** Resolves to why the scenario could not be recorded, if so. */
async function record(
  scenario: Scenario,
  target: Target,
  self: Self,
  recorded: Map<string, Answers>,
): Promise<string | undefined> {
  const answers: Record<string, unknown> = {};
  try {
    await runScenario(scenario, target, self, (id, answer) => {
      if (id in answers) throw new Error(`two steps have the id ${id}`);
      answers[id] = withoutAny(scenario, id, answer);
    });
  } catch (error) {
    return String(error);
  }
  recorded.set(scenario.name, answers);
  return undefined;
}

/** One answer a line, so that another answer is another line. */
function writeRecording({ name, title, scenarios }: Group, recorded: ReadonlyMap<string, Answers>): void {
  const parts = scenarios.map((scenario) => {
    const answers = Object.entries(recorded.get(scenario.name) ?? {});
    const lines = answers.map(([id, answer]) => `   ${JSON.stringify(id)}: ${JSON.stringify(answer)}`);
    return `  ${JSON.stringify(scenario.name)}: {\n${lines.join(',\n')}\n  }`;
  });
  const text = `{\n "group": ${JSON.stringify(title)},\n "answers": {\n${parts.join(',\n')}\n }\n}\n`;
  writeFileSync(join(folder, 'recorded', `${name}.json`), text);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
