import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { BackendConfig } from './runtime/backends.ts';
import type { FrontendOptions } from './runtime/frontends.ts';

/** What a list of HAProxy's `option` keywords says; undefined where it says nothing. */
export interface Options {
  readonly forwardfor?: boolean;
  readonly httplog?: boolean;
  readonly tcplog?: boolean;
  readonly httpLane?: FrontendOptions['httpLane'];
  readonly redispatch?: boolean;
  readonly httpchk?: BackendConfig['httpchk'] | 'off';
}

export const FRONTEND_OPTIONS = ['forwardfor', 'httplog', 'tcplog', 'http-lane'] as const;
export const BACKEND_OPTIONS = ['redispatch', 'httpchk'] as const;
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
  if (name === 'httpchk' && !negated) return parseHttpchk(args);
  if (name === 'http-lane' && !negated) return parseHttpLane(args);
  if (args.length > 0) return unparsed(`option ${name} takes nothing after it, found ${args.join(' ')}`);
  if (name === 'httpchk') return parsed({ httpchk: 'off' });
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

/** HAProxy's defaults: `OPTIONS`, and `/`. */
function parseHttpchk(args: readonly string[]): Parsed<Options> {
  const [method, uri] = args.length < 2 ? ['OPTIONS', args[0] ?? '/'] : [args[0] ?? '', args[1] ?? ''];
  if (args.length > 2)
    return unparsed(`expected "httpchk METHOD URI", found ${args.slice(2).join(' ')} after it`);
  if (!/^[A-Z]+$/.test(method))
    return unparsed(`expected a method such as GET, found ${JSON.stringify(method)}`);
  if (!/^(?:\*$|\/[!-~]*$)/.test(uri))
    return unparsed(`expected a URI from "/" on, found ${JSON.stringify(uri)}`);
  return parsed({ httpchk: { method, uri } });
}
