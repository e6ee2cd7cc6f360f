import { didYouMean } from '../nearest.ts';
import type { FrontendConfig } from '../runtime/frontends.ts';
import type { AclTest, Condition, Term } from '../runtime/rules.ts';
import { parseAclTest } from './acl.ts';
import { worksInTcp } from './fetches.ts';
import { PREDEFINED_ACLS } from './predefined.ts';
import type { Report, Word } from './words.ts';

/** What a condition may refer to. */
export interface Scope {
  readonly mode: FrontendConfig['mode'];
  /** The tests declared under each name. */
  readonly acls: ReadonlyMap<string, readonly AclTest[]>;
  /** Every name that the file declares, also where a test has a problem of its own. */
  readonly aclNames: ReadonlySet<string>;
}

/** Where the condition of a rule begins: its first unquoted `if` or `unless`; the length when there is none. */
export function conditionIndex(words: readonly Word[]): number {
  const index = words.findIndex(({ text, bare }) => bare && (text === 'if' || text === 'unless'));
  return index < 0 ? words.length : index;
}

/**
 * Reads `if|unless [!]term… [or|'||' [!]term…]…` (configuration manual, section 7.2); a term is the name of an
 * acl, or a test between braces. `words` begin with `if` or `unless`. Undefined when something was reported.
 */
export function parseCondition(
  words: readonly Word[],
  end: number,
  scope: Scope,
  report: Report,
): Condition | undefined {
  const [keyword, ...rest] = words;
  const groups: Term[][] = [[]];
  let negated = false;
  let ok = true;
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i];
    if (!word) break;
    const marks = word.bare ? (/^!*/.exec(word.text)?.[0].length ?? 0) : 0;
    const text = word.text.slice(marks);
    if (marks % 2 === 1) negated = !negated;
    if (marks > 0 && text === '') continue;

    if (word.bare && (text === '||' || text.toLowerCase() === 'or')) {
      if (negated || groups.at(-1)?.length === 0) {
        report(word.offset, `expected an acl or a { test } before ${text}`);
        return undefined;
      }
      groups.push([]);
      continue;
    }
    let tests: readonly AclTest[] | undefined;
    if (word.bare && text === '{') {
      const close = rest.findIndex((other, j) => j > i && other.bare && other.text === '}');
      if (close < 0) {
        report(word.offset + marks, 'this { is never closed: expected " }" after its test');
        return undefined;
      }
      const test = parseAclTest(rest.slice(i + 1, close), rest[close]?.offset ?? end, report);
      tests = test && inMode([test], word.offset + marks, scope, report);
      i = close;
    } else {
      tests = namedTests(text, word.offset + marks, scope, report);
    }
    if (tests) groups.at(-1)?.push({ negated, tests });
    else ok = false;
    negated = false;
  }
  if (!ok) return undefined;
  if (negated || groups.at(-1)?.length === 0) {
    report(end, 'expected an acl or a { test }');
    return undefined;
  }
  return { unless: keyword?.text === 'unless', anyOf: groups };
}

function namedTests(
  name: string,
  offset: number,
  scope: Scope,
  report: Report,
): readonly AclTest[] | undefined {
  const predefined = PREDEFINED_ACLS.get(name);
  const tests = scope.acls.get(name) ?? (scope.aclNames.has(name) || !predefined ? undefined : [predefined]);
  if (tests) return inMode(tests, offset, scope, report);
  if (!scope.aclNames.has(name)) {
    const glued = /^\{|\}$/.test(name) ? ' (braces need blanks around them)' : '';
    const suggestion = didYouMean(name, [...scope.aclNames, ...PREDEFINED_ACLS.keys()]);
    report(offset, `undefined acl ${name}${glued}`, suggestion);
  }
  return undefined;
}

function inMode(
  tests: readonly AclTest[],
  offset: number,
  { mode }: Scope,
  report: Report,
): readonly AclTest[] | undefined {
  const http = mode === 'tcp' ? tests.find(({ fetch }) => !worksInTcp(fetch)) : undefined;
  if (!http) return tests;
  report(offset, `${http.fetch.kind} needs mode http: in mode tcp only src can be tested`);
  return undefined;
}
