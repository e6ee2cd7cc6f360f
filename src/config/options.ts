import { HTTP_METHOD, HTTP_URI } from './http-check-line.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { FrontendOptions } from './runtime/frontends.ts';
import type { DialogueCheck } from './runtime/server-checks.ts';

/** What a list of HAProxy's `option` keywords says; undefined where it says nothing. */
export interface Options {
  readonly forwardfor?: boolean;
  readonly httplog?: boolean;
  readonly tcplog?: boolean;
  readonly httpLane?: FrontendOptions['httpLane'];
  readonly redispatch?: boolean;
  readonly allbackups?: boolean;
  /** What checks speak; a later one replaces it. */
  readonly checkBy?: CheckBy | 'off';
}

/** The protocol of checks; `http-check` and `tcp-check` say more. */
export type CheckBy =
  | { readonly kind: 'http'; readonly method: string; readonly uri: string }
  | Exclude<DialogueCheck, { kind: 'tcp' }>
  | { readonly kind: 'tcp' };

export const FRONTEND_OPTIONS = ['forwardfor', 'httplog', 'tcplog', 'http-lane'] as const;
const CHECK_OPTIONS = ['httpchk', 'ssl-hello-chk', 'redis-check', 'mysql-check', 'tcp-check'] as const;
export const BACKEND_OPTIONS = ['redispatch', 'allbackups', ...CHECK_OPTIONS] as const;
type OptionName = (typeof FRONTEND_OPTIONS)[number] | (typeof BACKEND_OPTIONS)[number];

/**
 * Reads one entry of an `option` list: `NAME`, `no NAME`, `httpchk [METHOD] URI` (configuration manual, section 4.2)
 * or `http-lane LANE`. `known` are the options of the section it stands in.
 */
export function parseOption(text: string, known: readonly OptionName[]): Parsed<Options> {
  const words = text.trim().split(/\s+/);
  const negated = words[0] === 'no';
  const [written = '', ...args] = negated ? words.slice(1) : words;
  const name = known.find((option) => option === written);
  if (name === undefined) {
    const message = `unknown option ${JSON.stringify(text)}; expected one of ${known.join(', ')}`;
    return unparsed(message, undefined, didYouMean(written, known));
  }
  const checks = CHECK_OPTIONS.find((option) => option === name);
  if (checks && !negated) return parseCheckOption(checks, args);
  if (name === 'http-lane' && !negated) return parseHttpLane(args);
  if (args.length > 0) return unparsed(`option ${name} takes nothing after it, found ${args.join(' ')}`);
  if (checks) return parsed({ checkBy: 'off' });
  return parsed(name === 'http-lane' ? { httpLane: 'direct' } : { [name]: !negated });
}

const LANES = ['direct', 'compat'] as const;

function parseHttpLane([written = '', ...rest]: readonly string[]): Parsed<Options> {
  const lane = LANES.find((known) => known === written);
  if (lane !== undefined && rest.length === 0) return parsed({ httpLane: lane });
  return unparsed(
    `expected "http-lane ${LANES.join('" or "http-lane ')}"`,
    undefined,
    didYouMean(written, LANES),
  );
}

function parseCheckOption(name: (typeof CHECK_OPTIONS)[number], args: readonly string[]): Parsed<Options> {
  if (name === 'httpchk') return parseHttpchk(args);
  if (name === 'mysql-check') return parseMysqlCheck(args);
  if (args.length > 0) return unparsed(`option ${name} takes nothing after it, found ${args.join(' ')}`);
  return parsed({
    checkBy: { kind: name === 'ssl-hello-chk' ? 'ssl-hello' : name === 'redis-check' ? 'redis' : 'tcp' },
  });
}

/** `mysql-check`, `mysql-check user NAME [post-41]`: what came before MySQL 4.1 is of no use any more. */
function parseMysqlCheck(args: readonly string[]): Parsed<Options> {
  const [keyword, user, version, ...rest] = args;
  if (keyword === undefined) return parsed({ checkBy: { kind: 'mysql', user: undefined } });
  const known = version === undefined || version === 'post-41';
  if (keyword !== 'user' || user === undefined || !known || rest.length > 0) {
    return unparsed('expected "mysql-check", or "mysql-check user NAME" with post-41 behind it or not');
  }
  return parsed({ checkBy: { kind: 'mysql', user } });
}

/** HAProxy's defaults: `OPTIONS`, and `/`. */
function parseHttpchk(args: readonly string[]): Parsed<Options> {
  const [method, uri] = args.length < 2 ? ['OPTIONS', args[0] ?? '/'] : [args[0] ?? '', args[1] ?? ''];
  if (args.length > 2)
    return unparsed(`expected "httpchk METHOD URI", found ${args.slice(2).join(' ')} after it`);
  if (!HTTP_METHOD.test(method))
    return unparsed(`expected a method such as GET, found ${JSON.stringify(method)}`);
  if (!HTTP_URI.test(uri)) return unparsed(`expected a URI from "/" on, found ${JSON.stringify(uri)}`);
  return parsed({ checkBy: { kind: 'http', method, uri } });
}
