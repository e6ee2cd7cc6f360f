import { dropAny } from './comparable.ts';
import type { JsonObject } from './json-values.ts';
import { firstDifference } from './json-values.ts';
import type { Answers, Scenario } from './scenario.ts';
import { runScenario } from './scenario-run.ts';
import type { Self, Target } from './target.ts';

/**
 * Runs a scenario and compares its answers with the recorded ones. Resolves to the first difference in words, or to
 * undefined if there is none; the scenario ends at the first.
 */
export async function differenceIn(
  scenario: Scenario,
  recorded: Answers | undefined,
  target: Target,
  self: Self,
): Promise<string | undefined> {
  if (!recorded) return 'there is no recording of it';
  const missing = new Set(Object.keys(recorded));
  let found: string | undefined;
  const onAnswer = (id: string, answer: JsonObject, request: string) => {
    missing.delete(id);
    const got: unknown = JSON.parse(JSON.stringify(withoutAny(scenario, id, answer)));
    const difference = firstDifference(recorded[id], got, id);
    if (!difference) return;
    const { path, expected } = difference;
    found ??= `${path}: expected ${shown(expected)}, got ${shown(difference.got)} (${request})`;
    throw new Error('a difference was found');
  };
  try {
    await runScenario(scenario, target, self, onAnswer);
  } catch (error) {
    return found ?? String(error);
  }
  return missing.size === 0 ? undefined : `no answer to compare for ${[...missing].join(', ')}`;
}

/** An answer without what the whole scenario says may differ: paths that begin with the id of a step. */
export function withoutAny(scenario: Scenario, id: string, answer: JsonObject): JsonObject {
  const mine = (scenario.any ?? []).filter((path) => path.startsWith(`${id}.`));
  dropAny(
    answer,
    mine.map((path) => path.slice(id.length + 1)),
  );
  return answer;
}

function shown(value: unknown): string {
  if (value === undefined) return '(absent)';
  const text = JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
