import type { AclTest, Condition, Term } from '../../config/runtime/rules.ts';
import { inNetworks } from '../../core/networks.ts';
import type { RequestHead } from '../lanes/lane.ts';
import { octets } from './octets.ts';

/** What rules can look at. TCP connections have no head: tests of it do not match. */
export interface Sample {
  /** The client's address. */
  readonly src: string;
  readonly head: RequestHead | undefined;
}

/** A condition made ready to be asked many times. */
export type Predicate = (sample: Sample) => boolean;

/**
 * Makes a condition ready (HAProxy configuration manual, section 7.2): any of its groups, each of which needs
 * all of its terms. Undefined always holds.
 */
export function compileCondition(condition: Condition | undefined): Predicate {
  if (!condition) return () => true;
  const groups = condition.anyOf.map((terms) => terms.map(compileTerm));
  const { unless } = condition;
  return (sample) => groups.some((terms) => terms.every((term) => term(sample))) !== unless;
}

function compileTerm({ negated, tests }: Term): Predicate {
  const compiled = tests.map(compileTest);
  return (sample) => compiled.some((test) => test(sample)) !== negated;
}

function compileTest(test: AclTest): Predicate {
  const { fetch, match } = test;
  if (fetch.kind === 'always_true') return () => true;
  if (fetch.kind === 'always_false') return () => false;
  if (fetch.kind === 'ssl_fc') return ({ head }) => head?.secure === true;
  if (match === 'ip') return compileNetworks(test);
  const matches = compileMatch(test);
  // Whole values, or padding could push out of sight what a rule is to deny; heads are limited in size.
  return (sample) => valuesOf(fetch, sample).some(matches);
}

function compileNetworks({ patterns }: AclTest): Predicate {
  const matches = inNetworks(patterns);
  return ({ src }) => matches(src);
}

/** HAProxy's match methods (section 7.1.3). An empty value is a value; no value at all matches nothing. */
function compileMatch({ match, ignoreCase, patterns }: AclTest): (value: string) => boolean {
  if (match === 'found' || match === 'bool' || match === 'ip') return () => true;
  if (match === 'reg') {
    const expressions = patterns.map((pattern) => new RegExp(octets(pattern), ignoreCase ? 'i' : ''));
    return (value) => expressions.some((expression) => expression.test(value));
  }
  const fold = foldOf(ignoreCase);
  const folded = patterns.map((pattern) => fold(octets(pattern)));
  const compare = COMPARE[match];
  return (value) => {
    const text = fold(value);
    return folded.some((pattern) => compare(text, pattern));
  };
}

/** What values and patterns are turned into before they are compared. */
export function foldOf(ignoreCase: boolean): (text: string) => string {
  return ignoreCase ? (text) => text.toLowerCase() : (text) => text;
}

type Compare = (value: string, pattern: string) => boolean;

const COMPARE: Readonly<Record<Exclude<AclTest['match'], 'found' | 'reg' | 'ip' | 'bool'>, Compare>> = {
  str: (value, pattern) => value === pattern,
  beg: (value, pattern) => value.startsWith(pattern),
  end: (value, pattern) => value.endsWith(pattern),
  sub: (value, pattern) => value.includes(pattern),
  dir: (value, pattern) => isDelimited(value, pattern, '/?'),
  dom: (value, pattern) => isDelimited(value, pattern, '/?.:'),
};

/** Whether `pattern`, without delimiters around it, stands in `value` between delimiters or at its ends. */
function isDelimited(value: string, pattern: string, delimiters: string): boolean {
  let start = 0;
  let end = pattern.length;
  while (start < end && delimiters.includes(pattern.charAt(start))) start++;
  while (end > start && delimiters.includes(pattern.charAt(end - 1))) end--;
  const part = pattern.slice(start, end);
  if (part === '') return false;
  const at = (index: number) =>
    index < 0 || index >= value.length || delimiters.includes(value.charAt(index));
  for (let found = value.indexOf(part); found !== -1; found = value.indexOf(part, found + 1)) {
    if (at(found - 1) && at(found + part.length)) return true;
  }
  return false;
}

/** What a fetch finds: nothing, one value, or, of a header, several. */
export function valuesOf(fetch: AclTest['fetch'], { src, head }: Sample): readonly string[] {
  if (fetch.kind === 'src') return src === '' ? [] : [src];
  if (!head) return [];
  switch (fetch.kind) {
    case 'path':
      // A request about the whole server (`*`) has none.
      return head.path.startsWith('/') ? [head.path] : [];
    case 'url':
      return [head.target];
    case 'method':
      return [head.method];
    case 'query': {
      const at = head.target.indexOf('?');
      return at === -1 ? [] : [head.target.slice(at + 1)];
    }
    case 'hdr':
      return headerValues(head.headers, fetch.header);
    default:
      return [];
  }
}

/** Values of a header as HAProxy's `hdr` sees them: each line, and each part of a line between commas. */
function headerValues(headers: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === name) values.push(...partsOf(headers[i + 1] ?? ''));
  }
  return values;
}

/** Cuts at commas, except those in quoted strings (RFC 9110, section 5.6.4); one never closed goes to the end. */
function partsOf(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(',').map((part) => part.trim());
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const char = line[i];
    if (char === '"') quoted = !quoted;
    else if (char === '\\' && quoted) i++;
    else if (char === ',' && !quoted) {
      parts.push(line.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(line.slice(start).trim());
  return parts;
}
