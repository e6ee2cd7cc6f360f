import { messageOf } from '../../core/errors.ts';
import { parseNetwork } from '../address.ts';
import { didYouMean } from '../nearest.ts';
import type { AclTest } from '../runtime/rules.ts';
import { type Criterion, methodsOf, parseCriterion } from './fetches.ts';
import { compileRegex } from './regex.ts';
import type { Report, Word } from './words.ts';

type Match = AclTest['match'];

const ALL_METHODS: readonly Match[] = [
  'str',
  'beg',
  'end',
  'sub',
  'dir',
  'dom',
  'reg',
  'ip',
  'found',
  'bool',
];

/** Flags of HAProxy that read files or resolve names while parsing; known, and refused by name. */
const OTHER_FLAGS: ReadonlySet<string> = new Set(['-f', '-M', '-n', '-u']);

interface Flags {
  readonly ignoreCase: boolean;
  readonly method: Match | undefined;
  /** The words after the flags. */
  readonly patterns: readonly Word[];
}

/**
 * Reads `criterion [flags] [pattern]…` (configuration manual, section 7.1): what stands after the name of an
 * `acl`, or between braces. `end` is where to point when something is lacking. Undefined when something was
 * reported.
 */
export function parseAclTest(words: readonly Word[], end: number, report: Report): AclTest | undefined {
  const [first, ...rest] = words;
  if (!first) {
    report(end, 'expected a test, such as path_beg /api/');
    return undefined;
  }
  const criterion = parseCriterion(first, report);
  const flags = criterion && parseFlags(rest, criterion, end, report);
  if (!criterion || !flags) return undefined;
  const match = flags.method ?? criterion.match;
  const patterns = parsePatterns(flags, match, first, end, report);
  if (!patterns) return undefined;
  // Methods match without regard to case (section 7.3.6, "method").
  const ignoreCase = flags.ignoreCase || criterion.fetch.kind === 'method';
  return { fetch: criterion.fetch, match, ignoreCase, patterns };
}

function parseFlags(
  words: readonly Word[],
  { fetch }: Criterion,
  end: number,
  report: Report,
): Flags | undefined {
  let ignoreCase = false;
  let method: Match | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (!word?.text.startsWith('-')) return { ignoreCase, method, patterns: words.slice(i) };
    if (word.text === '--') return { ignoreCase, method, patterns: words.slice(i + 1) };
    if (word.text === '-i') {
      ignoreCase = true;
    } else if (word.text === '-m' && method === undefined) {
      const name = words[++i];
      const allowed = methodsOf(fetch);
      method = ALL_METHODS.find((known) => known === name?.text);
      if (method === undefined || !allowed.includes(method)) {
        const found = name === undefined ? '' : `, found ${name.text}`;
        const suggestion = name && didYouMean(name.text, allowed);
        report(
          name?.offset ?? end,
          `expected ${allowed.join(', ')} after -m for ${fetch.kind}${found}`,
          suggestion,
        );
        return undefined;
      }
    } else {
      report(word.offset, flagProblem(word.text));
      return undefined;
    }
  }
  return { ignoreCase, method, patterns: [] };
}

function flagProblem(flag: string): string {
  if (flag === '-m') return '-m is given twice';
  if (OTHER_FLAGS.has(flag)) return `the flag ${flag} is not supported`;
  return `unknown flag ${flag}; expected -i, -m METHOD, or -- before a pattern that begins with "-"`;
}

function parsePatterns(
  flags: Flags,
  match: Match,
  criterion: Word,
  end: number,
  report: Report,
): readonly string[] | undefined {
  const [first] = flags.patterns;
  if (match === 'found' || match === 'bool') {
    if (!first) return [];
    report(first.offset, `${match === 'found' ? '-m found' : criterion.text} takes no pattern`);
    return undefined;
  }
  if (!first) {
    report(end, `expected a pattern after ${criterion.text}`);
    return undefined;
  }
  const patterns = flags.patterns.map((word) => parsePattern(word, match, flags.ignoreCase, report));
  return patterns.every((pattern) => pattern !== undefined) ? patterns : undefined;
}

function parsePattern(word: Word, match: Match, ignoreCase: boolean, report: Report): string | undefined {
  if (match === 'ip') {
    const network = parseNetwork(word.text);
    if (network.ok) return network.value;
    report(word.offset, network.message);
    return undefined;
  }
  if (match === 'reg') {
    try {
      compileRegex(word.text, ignoreCase);
    } catch (error) {
      report(word.offset, messageOf(error));
      return undefined;
    }
  }
  return word.text;
}
