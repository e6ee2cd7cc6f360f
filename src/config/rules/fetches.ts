import { didYouMean } from '../nearest.ts';
import type { AclTest } from '../runtime/rules.ts';
import type { Report, Word } from './words.ts';

type Match = AclTest['match'];

/** What an acl looks at, as its first word says, and how it compares unless `-m` says otherwise. */
export interface Criterion {
  readonly fetch: AclTest['fetch'];
  readonly match: Match;
}

const TEXT_MATCHES = ['str', 'beg', 'end', 'sub', 'dir', 'dom', 'reg', 'found'] as const;

/** Sample fetches (configuration manual, section 7.3) and the `-m` methods each can be compared by. */
const FETCHES: ReadonlyMap<string, { readonly match: Match; readonly methods: readonly Match[] }> = new Map([
  ['path', { match: 'str', methods: TEXT_MATCHES }],
  ['url', { match: 'str', methods: TEXT_MATCHES }],
  ['query', { match: 'str', methods: TEXT_MATCHES }],
  ['method', { match: 'str', methods: TEXT_MATCHES }],
  ['hdr', { match: 'str', methods: TEXT_MATCHES }],
  ['ssl_fc', { match: 'bool', methods: ['bool'] }],
  ['src', { match: 'ip', methods: ['ip', 'found'] }],
  ['always_true', { match: 'bool', methods: ['bool'] }],
  ['always_false', { match: 'bool', methods: ['bool'] }],
]);

/** Those with derivatives such as `path_beg` (section 7.3.6). */
const DERIVED: ReadonlySet<string> = new Set(['path', 'url', 'hdr']);
const SUFFIXES: readonly Match[] = ['beg', 'dir', 'dom', 'end', 'reg', 'sub'];

const NAMES: readonly string[] = [...FETCHES.keys()].flatMap((name) =>
  DERIVED.has(name) ? [name, ...SUFFIXES.map((suffix) => `${name}_${suffix}`)] : [name],
);

/** Fetches that need no HTTP request. */
const OF_ANY_MODE: ReadonlySet<string> = new Set(['src', 'always_true', 'always_false']);

/** True for what can be tested of a bare TCP connection. */
export function worksInTcp(fetch: AclTest['fetch']): boolean {
  return OF_ANY_MODE.has(fetch.kind);
}

/** The `-m` methods a fetch can be compared by. */
export function methodsOf(fetch: AclTest['fetch']): readonly Match[] {
  return FETCHES.get(fetch.kind)?.methods ?? [];
}

/** Reads `path_beg`, `hdr(host)`, `hdr_sub(user-agent)`, `src`… Undefined when something was reported. */
export function parseCriterion(word: Word, report: Report): Criterion | undefined {
  const match = /^(?:req\.(?=hdr\())?([A-Za-z0-9_.]+)(?:\(([^()]*)\))?$/.exec(word.text);
  const [, written = '', argument] = match ?? [];
  if (!match || !NAMES.includes(written)) {
    if (/[,()]/.test(word.text.replace(/\([^()]*\)$/, ''))) {
      report(word.offset, `converters are not supported: expected a fetch alone, found ${word.text}`);
    } else {
      const name = written || word.text;
      report(word.offset, `unknown fetch ${name}; expected one of ${SUMMARY}`, didYouMean(name, NAMES));
    }
    return undefined;
  }
  const [, name = '', suffix] = /^(path|url|hdr)_([a-z]+)$/.exec(written) ?? ['', written];
  const base = FETCHES.get(name);
  const fetch = fetchOf(name, argument, word, report);
  if (!base || !fetch) return undefined;
  return { fetch, match: SUFFIXES.find((known) => known === suffix) ?? base.match };
}

const SUMMARY =
  'path, url (and path_beg, _end, _sub, _dir, _dom, _reg), query, method, src, ssl_fc, hdr(name)';

function fetchOf(
  name: string,
  argument: string | undefined,
  word: Word,
  report: Report,
): AclTest['fetch'] | undefined {
  if (name === 'hdr') {
    const header = argument?.trim().toLowerCase() ?? '';
    if (isToken(header)) return { kind: 'hdr', header };
    const why = header.includes(',') ? 'occurrence numbers are not supported: ' : '';
    report(word.offset, `${why}expected the name of a header, such as hdr(host)`);
    return undefined;
  }
  if (argument !== undefined) {
    report(word.offset, `${name} takes nothing in parentheses`);
    return undefined;
  }
  switch (name) {
    case 'path':
    case 'url':
    case 'query':
    case 'method':
    case 'src':
    case 'ssl_fc':
    case 'always_true':
    case 'always_false':
      return { kind: name };
    default:
      return undefined;
  }
}

/** A header name (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}
