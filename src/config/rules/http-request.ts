import { didYouMean } from '../nearest.ts';
import type { Condition, HttpRequestRule } from '../runtime/rules.ts';
import { Arguments } from './arguments.ts';
import { conditionIndex, parseCondition, type Scope } from './condition.ts';
import { type Report, splitWords } from './words.ts';

/** A rule without the condition it depends on. */
type Action = HttpRequestRule extends infer R ? (R extends unknown ? Omit<R, 'condition'> : never) : never;

/** Statuses without a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODYLESS: ReadonlySet<number> = new Set([204, 205, 304]);
/** What HAProxy's `redirect` supports (configuration manual, section 4.2). */
const REDIRECT_CODES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const REDIRECT_OPTIONS = [
  'drop-query',
  'append-slash',
  'ignore-empty',
  'set-cookie',
  'clear-cookie',
  'keep-query',
] as const;
const OTHER_BODIES = [
  'lf-string',
  'file',
  'lf-file',
  'errorfile',
  'errorfiles',
  'default-errorfiles',
  'hdr',
] as const;

const ACTIONS: ReadonlyMap<string, (args: Arguments) => Action> = new Map([
  ['deny', parseDeny],
  ['return', parseReturn],
  ['redirect', parseRedirect],
  ['set-header', (args) => parseHeader('set-header', args)],
  ['add-header', (args) => parseHeader('add-header', args)],
  ['del-header', (args): Action => ({ action: 'del-header', header: args.header() })],
  ['set-path', parseSetPath],
]);

/**
 * Reads one entry of `http-request` (configuration manual, section 4.4): an action, its arguments, and an
 * optional condition. Undefined when something was reported.
 */
export function parseHttpRequest(rule: string, scope: Scope, report: Report): HttpRequestRule | undefined {
  const split = splitWords(rule, report);
  if (!split) return undefined;
  const { words, end } = split;
  const [name] = words;
  const parse = ACTIONS.get(name?.text ?? '');
  if (!name || !parse) {
    const known = [...ACTIONS.keys()];
    const what = name ? `unknown action ${name.text}; ` : '';
    const suggestion = name && didYouMean(name.text, known);
    report(name?.offset ?? 0, `${what}expected one of ${known.join(', ')}`, suggestion);
    return undefined;
  }
  const at = conditionIndex(words);
  const args = new Arguments(words.slice(1, at), words[at]?.offset ?? end, report);
  const action = parse(args);
  args.finish();

  let condition: Condition | undefined;
  if (at < words.length) {
    condition = parseCondition(words.slice(at), end, scope, report);
    if (!condition) return undefined;
  }
  return args.failed ? undefined : { ...action, condition };
}

function parseDeny(args: Arguments): Action {
  const given = args.keyword(['deny_status', 'status']) !== undefined;
  return { action: 'deny', status: given ? args.status(200, 599) : 403 };
}

function parseReturn(args: Arguments): Action {
  let status: number | undefined;
  let contentType: string | undefined;
  let body: string | undefined;
  let bodyAt = 0;
  for (;;) {
    const keyword = args.keyword(['status', 'content-type', 'string']);
    if (keyword === undefined) break;
    const at = args.lastOffset;
    const given = { status, 'content-type': contentType, string: body }[keyword] !== undefined;
    if (given) args.fail(at, `${keyword} is given twice`);
    if (keyword === 'status') status = args.status(200, 599);
    else if (keyword === 'content-type') contentType = args.headerText('a content type');
    else {
      body = args.word('the text to return').text;
      bodyAt = at;
    }
  }
  const unsupported = args.keyword(OTHER_BODIES);
  if (unsupported !== undefined)
    args.fail(args.lastOffset, `${unsupported} is not supported: expected string TEXT`);
  if (body && BODYLESS.has(status ?? 200)) args.fail(bodyAt, `a ${status} answer has no body`);
  // HAProxy insists on a content type here; text is what a string most likely is.
  if (body) contentType ??= 'text/plain; charset=utf-8';
  return { action: 'return', status: status ?? 200, contentType, body: body ?? '' };
}

function parseRedirect(args: Arguments): Action {
  const type = args.keyword(['location', 'prefix', 'scheme']);
  if (type === undefined) args.fail(args.nextOffset, 'expected location, prefix or scheme');
  const at = args.nextOffset;
  const to = args.format(`the ${type ?? 'location'} to redirect to`);
  if (type === 'scheme' && !/^[a-z][a-z0-9+.-]*$/i.test(to)) {
    args.fail(at, `expected a scheme such as https, found ${JSON.stringify(to)}`);
  }
  if (/\s/.test(to)) args.fail(at, 'a location has no blanks: write %%20');
  let code = 302;
  if (args.keyword(['code']) !== undefined) {
    code = args.status(300, 399);
    if (!REDIRECT_CODES.has(code))
      args.fail(args.lastOffset, `expected code 301, 302, 303, 307 or 308, found ${code}`);
  }
  const option = args.keyword(REDIRECT_OPTIONS);
  if (option !== undefined) args.fail(args.lastOffset, `the redirect option ${option} is not supported`);
  return { action: 'redirect', type: type ?? 'location', to, code };
}

function parseHeader(action: 'set-header' | 'add-header', args: Arguments): Action {
  return { action, header: args.header(), value: args.format('the value of the header') };
}

function parseSetPath(args: Arguments): Action {
  const at = args.nextOffset;
  const value = args.format('the new path');
  if (!/^\/[^\s?#]*$/.test(value)) {
    args.fail(at, `expected a path from "/" on, without query, found ${JSON.stringify(value)}`);
  }
  return { action: 'set-path', value };
}
