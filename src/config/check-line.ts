import { parseHost } from './address.ts';
import { parseDuration } from './duration.ts';
import { parseKeywords, wordsOf } from './keyword-line.ts';
import { type Parsed, parsed, type Unparsed, unparsed } from './parsed.ts';
import type { Word } from './rules/words.ts';
import type { AgentConfig } from './runtime/server-checks.ts';
import type { CheckConfig, TrackConfig } from './runtime/servers.ts';

/** A check as written: what it is spoken to with depends on the server. */
export interface CheckWords extends Omit<CheckConfig, 'tls'> {
  /** `check-ssl` and `no-check-ssl`; undefined: neither. */
  readonly ssl?: boolean | undefined;
  readonly sni?: string | undefined;
}

/** HAProxy's defaults for `check` (configuration manual, section 5.2). */
export const DEFAULT_CHECK: CheckWords = { inter: 2_000, fall: 3, rise: 2, port: undefined };

const AGENT_INTER_MS = 2_000;

/** The highest of each: beyond it a server would in effect never change. */
const HIGHEST = { fall: 1_000, rise: 1_000, port: 65_535, 'agent-port': 65_535 };

/** `inter 2s fall 3 rise 2 port 81 addr 10.0.0.9 …`: HAProxy's server parameters for a check. */
export function parseCheck(text: string): Parsed<CheckWords> {
  const words = wordsOf(text);
  if (!words.ok) return words;
  if (words.value.length === 0) {
    return unparsed(`expected true, or parameters such as "inter 2s fall 3 rise 2"`);
  }
  const found = parseKeywords(words.value, {
    what: 'check',
    valued: ['inter', 'fastinter', 'downinter', 'fall', 'rise', 'port', 'addr', 'check-sni'],
    flags: ['check-ssl', 'no-check-ssl'],
  });
  if (!found.ok) return found;
  const reader = new ValueReader(found.value);
  const sni = found.value.get('check-sni');
  const check = {
    inter: reader.time('inter') ?? DEFAULT_CHECK.inter,
    fastinter: reader.time('fastinter'),
    downinter: reader.time('downinter'),
    fall: reader.number('fall') ?? DEFAULT_CHECK.fall,
    rise: reader.number('rise') ?? DEFAULT_CHECK.rise,
    port: reader.number('port'),
    addr: reader.address('addr'),
    ssl: found.value.has('check-ssl') ? true : found.value.has('no-check-ssl') ? false : undefined,
    sni: sni?.text,
  };
  if (reader.failure) return reader.failure;
  const off = found.value.get('no-check-ssl');
  if (off && (check.sni !== undefined || found.value.has('check-ssl'))) {
    return unparsed('no-check-ssl goes with neither check-ssl nor check-sni', off.offset);
  }
  if (sni && !isName(sni.text)) return unparsed(`expected a host name, found ${sni.text}`, sni.offset);
  return parsed(check);
}

/** `agent-port 9999 agent-inter 2s agent-addr 10.0.0.9 agent-send "status\n"`. */
export function parseAgentCheck(text: string): Parsed<AgentConfig> {
  const words = wordsOf(text);
  if (!words.ok) return words;
  const found = parseKeywords(words.value, {
    what: 'agent-check',
    valued: ['agent-port', 'agent-inter', 'agent-addr', 'agent-send'],
    flags: [],
  });
  if (!found.ok) return found;
  const reader = new ValueReader(found.value);
  const port = reader.number('agent-port');
  const inter = reader.time('agent-inter') ?? AGENT_INTER_MS;
  const addr = reader.address('agent-addr');
  if (reader.failure) return reader.failure;
  if (port === undefined) return unparsed('expected agent-port and the port that the agent listens on');
  return parsed({ port, inter, addr, send: found.value.get('agent-send')?.text ?? '' });
}

/** `BACKEND/SERVER` or `BACKEND`. */
export function parseTrack(text: string): Parsed<TrackConfig> {
  const match = /^\s*([A-Za-z0-9_.:-]{1,128})(?:\/(\S+))?\s*$/.exec(text);
  if (!match?.[1]) return unparsed(`expected BACKEND/SERVER or BACKEND, found ${JSON.stringify(text)}`);
  return parsed({ backend: match[1], server: match[2] });
}

function isName(text: string): boolean {
  const host = parseHost(text);
  return host.ok && host.value.kind === 'name';
}

/** Reads values one after another and keeps the first complaint. */
class ValueReader {
  readonly #given: ReadonlyMap<string, Word>;
  failure: Unparsed | undefined;

  constructor(given: ReadonlyMap<string, Word>) {
    this.#given = given;
  }

  /** Milliseconds. */
  time(keyword: string): number | undefined {
    const word = this.#given.get(keyword);
    if (!word) return undefined;
    const time = parseDuration(word.text);
    if (!time.ok) return this.#fail(word, time.message);
    return time.value < 1 ? this.#fail(word, `${keyword} must be at least 1ms`) : time.value;
  }

  number(keyword: keyof typeof HIGHEST): number | undefined {
    const word = this.#given.get(keyword);
    if (!word) return undefined;
    const number = Number(word.text);
    if (/^\d{1,9}$/.test(word.text) && number >= 1 && number <= HIGHEST[keyword]) return number;
    return this.#fail(
      word,
      `expected ${keyword} from 1 to ${HIGHEST[keyword]}, found ${JSON.stringify(word.text)}`,
    );
  }

  address(keyword: string): string | undefined {
    const word = this.#given.get(keyword);
    if (!word) return undefined;
    const host = parseHost(word.text);
    if (host.ok && host.value.kind !== 'name') return host.value.host;
    return this.#fail(word, `expected ${keyword} and an IP address, found ${JSON.stringify(word.text)}`);
  }

  #fail(word: Word, message: string): undefined {
    this.failure ??= unparsed(message, word.offset);
    return undefined;
  }
}
