import { VaneError } from '../../core/errors.ts';

/** A command line as Go's flag package reads it, which is how Consul's commands are called. */
export interface Flags {
  /** The last value given; undefined: not given. */
  text(name: string): string | undefined;
  /** Every value given, in order. */
  list(name: string): readonly string[];
  on(name: string): boolean;
  /** Throws REQUEST_INVALID for what is no whole number. */
  whole(name: string): number | undefined;
  /** What follows the flags. */
  readonly rest: readonly string[];
}

/** What a command takes: `text` may be given once or often, `switch` needs no value. */
export type FlagKinds = Readonly<Record<string, 'text' | 'switch'>>;

/** What every command takes that asks a registry. */
export const REGISTRY_FLAGS = {
  'http-addr': 'text',
  token: 'text',
  'token-file': 'text',
  datacenter: 'text',
  'ca-file': 'text',
  'client-cert': 'text',
  'client-key': 'text',
  'tls-server-name': 'text',
} as const;

/**
 * `-name value`, `-name=value`, `--name`, up to the first word that is no flag, or `--`. Throws REQUEST_INVALID.
 * https://pkg.go.dev/flag#hdr-Command_line_flag_syntax
 */
export function parseFlags(args: readonly string[], kinds: FlagKinds): Flags {
  const values = new Map<string, string[]>();
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? '';
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg);
    if (arg === '--') {
      at++;
      break;
    }
    if (!match) break;
    const [, name = '', given] = match;
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) throw wrong(`there is no flag -${name}; there are ${listed(kinds)}`);
    const value = given ?? (kind === 'switch' ? 'true' : args[++at]);
    if (value === undefined) throw wrong(`-${name} needs a value`);
    if (kind === 'switch' && !TRUTHS.has(value)) throw wrong(`-${name} is true or false, not ${value}`);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  const text = (name: string) => values.get(name)?.at(-1);
  return {
    text,
    list: (name) => values.get(name) ?? [],
    on: (name) => TRUTHS.get(text(name) ?? 'false') ?? false,
    whole(name) {
      const given = text(name);
      if (given !== undefined && !/^\d{1,15}$/.test(given))
        throw wrong(`-${name} is a whole number, not ${given}`);
      return given === undefined ? undefined : Number(given);
    },
    rest: args.slice(at),
  };
}

/** What Go's strconv.ParseBool takes, near enough. */
const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

/** Throws REQUEST_INVALID unless so many words follow the flags. */
export function requireWords({ rest }: Flags, least: number, most: number, usage: string): void {
  if (rest.length >= least && rest.length <= most) return;
  const expected = least === most ? String(least) : `${least} to ${most}`;
  throw wrong(`expected ${expected} ${most === 1 ? 'word' : 'words'}, got ${rest.length}: ${usage}`);
}

export function wrong(message: string): VaneError {
  return new VaneError('REQUEST_INVALID', message);
}

function listed(kinds: FlagKinds): string {
  return Object.keys(kinds)
    .map((name) => `-${name}`)
    .join(', ');
}
