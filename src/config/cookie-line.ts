import { parseDuration } from './duration.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { CookieConfig } from './runtime/stickiness.ts';

/** `cookie` of a backend as written: what values are made with stands in another key. */
export interface CookieWords extends Omit<CookieConfig, 'key'> {
  readonly dynamic: boolean;
}

const MODES = ['insert', 'rewrite', 'prefix'] as const;
const FLAGS = ['indirect', 'nocache', 'postonly', 'preserve', 'httponly', 'secure', 'dynamic'] as const;
const WITH_VALUE = ['domain', 'maxidle', 'maxlife', 'attr'] as const;
const WORDS = [...MODES, ...FLAGS, ...WITH_VALUE] as const;

/** Names of cookies (RFC 6265, section 4.1.1). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Values of cookies without quotes; `|` and `~` would end the name of a server. */
const VALUE = /^[!#-+\--:<-[\]-{}]{1,256}$/;
/** What may stand between two semicolons of Set-Cookie. */
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]{1,256}$/;
const DOMAIN = /^\.?[0-9A-Za-z]([0-9A-Za-z.-]{0,252}[0-9A-Za-z])?$/;
/** HAProxy keeps seconds in 30 bits of four seconds each. */
const LONGEST_S = 2 ** 31 - 1;

/**
 * `NAME insert indirect nocache httponly secure maxidle 30m …` (configuration manual, section 4.2, `cookie`). Times are
 * whole seconds unless they have a unit.
 */
export function parseCookie(text: string): Parsed<CookieWords> {
  const words = [...text.matchAll(/\S+/g)];
  const [name, ...rest] = words;
  if (!name || !TOKEN.test(name[0])) {
    return unparsed('expected the name of a cookie, then insert, rewrite or prefix', name?.index);
  }
  const flags = new Set<string>();
  let mode: CookieWords['mode'] | undefined;
  const domains: string[] = [];
  const attributes: string[] = [];
  const times = { maxidle: 0, maxlife: 0 };
  for (let i = 0; i < rest.length; i++) {
    const [word = '', offset] = [rest[i]?.[0], rest[i]?.index];
    const known = WORDS.find((one) => one === word);
    if (known === undefined) {
      return unparsed(`unknown word ${word}; expected ${WORDS.join(', ')}`, offset, didYouMean(word, WORDS));
    }
    const asMode = MODES.find((one) => one === known);
    if (asMode !== undefined) {
      if (mode !== undefined) return unparsed(`expected one of ${MODES.join(', ')}, not two`, offset);
      mode = asMode;
      continue;
    }
    const keyed = WITH_VALUE.find((one) => one === known);
    if (keyed === undefined) {
      flags.add(known);
      continue;
    }
    const value = rest[++i];
    if (value === undefined) return unparsed(`${keyed} lacks its value`, offset);
    const [given, at] = [value[0], value.index];
    if (keyed === 'domain') {
      if (!DOMAIN.test(given)) return unparsed(`expected a domain, found ${given}`, at);
      domains.push(given);
    } else if (keyed === 'attr') {
      if (!ATTRIBUTE.test(given)) return unparsed(`expected an attribute without ";", found ${given}`, at);
      attributes.push(given);
    } else {
      const seconds = parseSeconds(given);
      if (!seconds.ok) return { ...seconds, offset: at };
      times[keyed] = seconds.value;
    }
  }
  if (mode === undefined) return unparsed(`expected one of ${MODES.join(', ')} after the name of the cookie`);
  const needing = (['postonly', 'preserve'] as const).find((flag) => flags.has(flag));
  if (needing && mode !== 'insert') return unparsed(`${needing} needs insert`, offsetOf(words, needing));
  if (mode === 'rewrite' && flags.has('indirect')) {
    return unparsed(
      'rewrite needs servers to see the cookie: leave out indirect',
      offsetOf(words, 'indirect'),
    );
  }
  if (mode !== 'insert' && times.maxidle + times.maxlife > 0) {
    return unparsed('maxidle and maxlife need insert');
  }
  return parsed({
    name: name[0],
    mode,
    indirect: flags.has('indirect'),
    nocache: flags.has('nocache'),
    postonly: flags.has('postonly'),
    preserve: flags.has('preserve'),
    httpOnly: flags.has('httponly'),
    secure: flags.has('secure'),
    dynamic: flags.has('dynamic'),
    domains,
    attributes,
    maxIdle: times.maxidle,
    maxLife: times.maxlife,
  });
}

/** The value that a server's `cookie` says. */
export function parseCookieValue(text: string): Parsed<string> {
  return VALUE.test(text)
    ? parsed(text)
    : unparsed('expected the value of a cookie: no blanks, quotes, commas, semicolons, "|" or "~"');
}

function parseSeconds(text: string): Parsed<number> {
  const duration = parseDuration(/^\d+$/.test(text) ? `${text}s` : text);
  if (!duration.ok) return duration;
  const seconds = Math.ceil(duration.value / 1_000);
  return seconds >= 1 && seconds <= LONGEST_S ? parsed(seconds) : unparsed('must be at least 1s');
}

function offsetOf(words: readonly RegExpExecArray[], word: string): number | undefined {
  return words.find(([text]) => text === word)?.index;
}
