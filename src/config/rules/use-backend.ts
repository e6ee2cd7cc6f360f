import type { Condition } from '../runtime/rules.ts';
import { conditionIndex, parseCondition, type Scope } from './condition.ts';
import { type Report, splitWords } from './words.ts';

/** One entry of `use_backend`, with where it names its backend. */
export interface UseBackend {
  readonly backend: string;
  readonly offset: number;
  readonly condition: Condition | undefined;
}

/**
 * Reads `NAME [if|unless CONDITION]` (configuration manual, section 4.2, `use_backend`). What is wrong with the
 * condition is reported and leaves the name to be judged; undefined when there is no name to judge.
 */
export function parseUseBackend(rule: string, scope: Scope, report: Report): UseBackend | undefined {
  const split = splitWords(rule, report);
  if (!split) return undefined;
  const { words, end } = split;
  const at = conditionIndex(words);
  const [name, extra] = words.slice(0, at);
  if (!name || extra) {
    const expected = 'expected "NAME if CONDITION"';
    report(extra?.offset ?? 0, extra ? `${expected}, found ${extra.text} after the name` : expected);
    return undefined;
  }
  const condition = at < words.length ? parseCondition(words.slice(at), end, scope, report) : undefined;
  return { backend: name.text, offset: name.offset, condition };
}
