import type { AclTest, Condition } from '../../config/runtime/rules.ts';
import { foldOf, type Sample, valuesOf } from './condition.ts';
import { octets } from './octets.ts';

/** The rules that may hold for values of one fetch, by what such a value is or begins with. */
interface Table {
  readonly fetch: AclTest['fetch'];
  readonly fold: (text: string) => string;
  readonly whole: Map<string, number[]>;
  readonly beginning: Map<string, number[]>;
  /** Of what values may begin with, ascending. */
  lengths: readonly number[];
}

/**
 * Finds the first of many rules that holds without asking each. A rule that cannot hold unless a path, URL or header is,
 * or begins with, one of a few texts is asked only if that is so; all others always are.
 */
export class RuleIndex {
  readonly #tables = new Map<string, Table>();
  /** Numbers of the rules that are asked always, ascending. */
  readonly #always: number[] = [];

  /** @param conditions of the rules, which are called by their place in here */
  constructor(conditions: readonly (Condition | undefined)[]) {
    for (const [rule, condition] of conditions.entries()) {
      const tests = condition && neededTests(condition);
      if (tests) for (const test of tests) this.#add(rule, test);
      else this.#always.push(rule);
    }
  }

  /** The lowest number of which `holds` says so, which is asked in ascending order; undefined: none. */
  first(sample: Sample, holds: (rule: number) => boolean): number | undefined {
    const always = this.#always;
    let next = 0;
    for (const rule of this.#suggested(sample)) {
      for (let other = always[next]; other !== undefined && other < rule; other = always[++next]) {
        if (holds(other)) return other;
      }
      if (holds(rule)) return rule;
    }
    for (let other = always[next]; other !== undefined; other = always[++next]) {
      if (holds(other)) return other;
    }
    return undefined;
  }

  /** Rules that are in a table and may hold, ascending. */
  #suggested(sample: Sample): readonly number[] {
    const found: (readonly number[])[] = [];
    for (const { fetch, fold, whole, beginning, lengths } of this.#tables.values()) {
      for (const value of valuesOf(fetch, sample)) {
        const text = fold(value);
        const same = whole.get(text);
        if (same) found.push(same);
        for (const length of lengths) {
          if (length > text.length) break;
          const longer = beginning.get(text.slice(0, length));
          if (longer) found.push(longer);
        }
      }
    }
    if (found.length > 1) return [...new Set(found.flat())].sort((a, b) => a - b);
    return found[0] ?? [];
  }

  #add(rule: number, { fetch, match, ignoreCase, patterns }: AclTest): void {
    const key = JSON.stringify([fetch, ignoreCase]);
    const table = this.#tables.get(key) ?? newTable(fetch, ignoreCase);
    this.#tables.set(key, table);
    const rules = match === 'str' ? table.whole : table.beginning;
    for (const pattern of patterns) {
      const text = table.fold(octets(pattern));
      const known = rules.get(text) ?? [];
      if (known.at(-1) !== rule) known.push(rule);
      rules.set(text, known);
    }
    const lengths = new Set([...table.beginning.keys()].map((text) => text.length));
    table.lengths = [...lengths].sort((a, b) => a - b);
  }
}

function newTable(fetch: AclTest['fetch'], ignoreCase: boolean): Table {
  return { fetch, fold: foldOf(ignoreCase), whole: new Map(), beginning: new Map(), lengths: [] };
}

/** Tests one of which must hold for the condition to hold, all of which can be looked up; undefined: there are none. */
function neededTests({ unless, anyOf }: Condition): readonly AclTest[] | undefined {
  if (unless) return undefined;
  const needed: AclTest[] = [];
  for (const terms of anyOf) {
    const term = terms.find(({ negated, tests }) => !negated && tests.every(isLookedUp));
    if (!term) return undefined;
    needed.push(...term.tests);
  }
  return needed;
}

/** Other fetches have so few values that looking them up would tell the rules little apart. */
const LOOKED_UP: ReadonlySet<AclTest['fetch']['kind']> = new Set(['path', 'url', 'hdr']);

function isLookedUp({ fetch, match }: AclTest): boolean {
  return LOOKED_UP.has(fetch.kind) && (match === 'str' || match === 'beg');
}
