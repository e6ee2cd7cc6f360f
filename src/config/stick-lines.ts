import { parseDuration } from './duration.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import { conditionIndex, parseCondition, type Scope } from './rules/condition.ts';
import { isToken } from './rules/fetches.ts';
import { type Report, splitWords, type Word } from './rules/words.ts';
import type { StickFetch, StickRule, StickTableConfig } from './runtime/stickiness.ts';

const TYPES = ['ip', 'ipv6', 'integer', 'string', 'binary'] as const;
const WORDS = ['type', 'size', 'expire', 'nopurge', 'srvkey', 'len', 'peers'] as const;
const SERVER_KEYS = ['name', 'addr'] as const;

/** HAProxy's own. */
const USUAL_LENGTH = 32;
const LONGEST_KEY = 1_024;
/** Some 150 bytes each. */
const MOST_ENTRIES = 10_000_000;
const SCALES: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_024 ** 2 };

/** `type ip size 100k expire 30m srvkey name nopurge` (configuration manual, section 4.2, `stick-table`). */
export function parseStickTable(text: string): Parsed<StickTableConfig> {
  const words = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], offset: match.index }));
  let type: StickTableConfig['type'] | undefined;
  let size = 0;
  let expire = 0;
  let length = USUAL_LENGTH;
  let nopurge = false;
  let serverKey: StickTableConfig['serverKey'] = 'name';
  let peers = false;
  for (let i = 0; i < words.length; i++) {
    const { text: word = '', offset } = words[i] ?? {};
    const known = WORDS.find((one) => one === word);
    if (known === undefined) {
      const why = word === 'store' ? `${word} is not supported` : `unknown word ${word}`;
      return unparsed(`${why}; expected ${WORDS.join(', ')}`, offset, didYouMean(word, WORDS));
    }
    if (known === 'nopurge') {
      nopurge = true;
      continue;
    }
    const value = words[++i];
    if (value === undefined) return unparsed(`${known} lacks its value`, offset);
    const refuse = (expected: string) => unparsed(`expected ${expected}, found ${value.text}`, value.offset);
    switch (known) {
      case 'type':
        type = TYPES.find((one) => one === value.text);
        if (type === undefined) return refuse(`one of ${TYPES.join(', ')}`);
        break;
      case 'size': {
        const [, digits = '', unit = ''] = /^(\d{1,8})([km]?)$/.exec(value.text.toLowerCase()) ?? [];
        size = Number(digits) * (SCALES[unit] ?? 0);
        if (size < 1 || size > MOST_ENTRIES) return refuse(`1 to ${MOST_ENTRIES} entries, such as 100k`);
        break;
      }
      case 'expire': {
        const duration = parseDuration(value.text);
        if (!duration.ok) return { ...duration, offset: value.offset };
        if (duration.value < 1) return refuse('at least 1ms');
        expire = duration.value;
        break;
      }
      case 'len':
        length = Number(value.text);
        if (!/^\d{1,4}$/.test(value.text) || length < 1 || length > LONGEST_KEY) {
          return refuse(`a length from 1 to ${LONGEST_KEY}`);
        }
        if (type !== 'string' && type !== 'binary')
          return unparsed('len comes after type string or binary', offset);
        break;
      case 'peers':
        if (value.text !== 'registry') return refuse('registry, the nodes of which are the peers');
        peers = true;
        break;
      case 'srvkey': {
        const key = SERVER_KEYS.find((one) => one === value.text);
        if (key === undefined) return refuse('name or addr');
        serverKey = key;
        break;
      }
    }
  }
  if (type === undefined) return unparsed(`expected "type" and one of ${TYPES.join(', ')}`);
  if (size === 0) return unparsed('expected "size" and how many entries it may have, such as 100k');
  return parsed({ type, length, size, expire, nopurge, serverKey, ...(peers ? { peers } : {}) });
}

const ACTIONS = ['on', 'match', 'store-request', 'store-response'] as const;
/** HAProxy's names of what is looked at, and ours. */
const REQUEST: Readonly<Record<string, StickFetch['kind']>> = {
  src: 'src',
  path: 'path',
  hdr: 'hdr',
  'req.hdr': 'hdr',
  cookie: 'cookie',
  'req.cook': 'cookie',
  url_param: 'url_param',
  urlp: 'url_param',
};
const RESPONSE: Readonly<Record<string, StickFetch['kind']>> = {
  'set-cookie': 'set-cookie',
  'res.cook': 'set-cookie',
  'res.hdr': 'response-hdr',
};

/** `on src`, `match cookie(ID) if { path_beg /a }`, `store-response set-cookie(ID)` (section 4.2, `stick on`). */
export function parseStick(rule: string, scope: Scope, report: Report): StickRule | undefined {
  const split = splitWords(rule, report);
  if (!split) return undefined;
  const { words, end } = split;
  const at = conditionIndex(words);
  const [action, fetch, extra] = words.slice(0, at);
  const known = ACTIONS.find((one) => one === action?.text);
  if (!action || known === undefined) {
    report(
      action?.offset ?? end,
      `expected one of ${ACTIONS.join(', ')}`,
      action && didYouMean(action.text, ACTIONS),
    );
    return undefined;
  }
  if (extra) {
    const why = extra.text === 'table' ? 'every backend has a table of its own' : 'expected "if CONDITION"';
    report(extra.offset, `${why}, found ${extra.text}`);
    return undefined;
  }
  const found = parseFetch(fetch, end, known === 'store-response' ? RESPONSE : REQUEST, report);
  if (!found) return undefined;
  if (scope.mode === 'tcp' && found.kind !== 'src') {
    report(fetch?.offset ?? end, `${found.kind} needs mode http: in mode tcp only src is known`);
    return undefined;
  }
  const condition = at < words.length ? parseCondition(words.slice(at), end, scope, report) : undefined;
  if (at < words.length && !condition) return undefined;
  return {
    match: known === 'on' || known === 'match',
    store: known !== 'match',
    fetch: found,
    condition,
  };
}

function parseFetch(
  word: Word | undefined,
  end: number,
  names: Readonly<Record<string, StickFetch['kind']>>,
  report: Report,
): StickFetch | undefined {
  const [, written = '', argument] = /^([A-Za-z_.-]+)(?:\(([^()]*)\))?$/.exec(word?.text ?? '') ?? [];
  const kind = names[written];
  if (!word || kind === undefined) {
    const all = Object.keys(names).map((name) =>
      name === 'src' || name === 'path' ? name : `${name}(NAME)`,
    );
    report(word?.offset ?? end, `expected one of ${all.join(', ')}`, didYouMean(written, Object.keys(names)));
    return undefined;
  }
  if (kind === 'src' || kind === 'path') {
    if (argument === undefined) return { kind };
    report(word.offset, `${written} takes nothing in parentheses`);
    return undefined;
  }
  const name = argument?.trim() ?? '';
  if (!isToken(name)) {
    report(word.offset, `expected a name, such as ${written}(NAME)`);
    return undefined;
  }
  return { kind, name: kind === 'hdr' || kind === 'response-hdr' ? name.toLowerCase() : name };
}
