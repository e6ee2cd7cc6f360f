import { parseBind } from './address.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { BindAddress, TlsBind } from './runtime/binds.ts';

/** A frontend's `bind` as written: certificates are files still. */
export interface BindLine extends BindAddress {
  readonly ssl: SslWords | undefined;
}

export interface SslWords {
  /** In the order written: the first is for clients that ask for no name, or for none of the others'. */
  readonly crt: readonly { readonly path: string; readonly offset: number }[];
  readonly minVersion: TlsBind['minVersion'];
}

const KEYWORDS = ['ssl', 'crt', 'ssl-min-ver'] as const;
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/**
 * `:443 ssl crt site.pem crt other.pem ssl-min-ver TLSv1.3`: an address, and HAProxy's bind parameters for TLS
 * (configuration manual, section 5.1).
 */
export function parseBindLine(text: string): Parsed<BindLine> {
  const words = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], offset: match.index }));
  const [first, ...rest] = words;
  const address = parseBind(first?.text ?? '');
  if (!address.ok) return { ...address, offset: (first?.offset ?? 0) + (address.offset ?? 0) };
  if (rest.length === 0) return parsed({ ...address.value, ssl: undefined });
  const ssl = parseSsl(rest);
  return ssl.ok ? parsed({ ...address.value, ssl: ssl.value }) : ssl;
}

function parseSsl(words: readonly { readonly text: string; readonly offset: number }[]): Parsed<SslWords> {
  const crt: { path: string; offset: number }[] = [];
  let isOn = false;
  let minVersion: (typeof VERSIONS)[number] = 'TLSv1.2';
  for (let i = 0; i < words.length; i++) {
    const { text = '', offset = 0 } = words[i] ?? {};
    if (text === 'ssl') {
      isOn = true;
      continue;
    }
    const value = words[i + 1];
    if (text !== 'crt' && text !== 'ssl-min-ver') {
      const expected = `expected ${KEYWORDS.join(', ')}`;
      return unparsed(`unknown bind parameter ${text}; ${expected}`, offset, didYouMean(text, KEYWORDS));
    }
    if (!value) return unparsed(`${text} lacks its value`, offset);
    i += 1;
    if (text === 'crt') {
      crt.push({ path: value.text, offset: value.offset });
      continue;
    }
    const version = VERSIONS.find((known) => known === value.text);
    if (!version) {
      return unparsed(`expected ${VERSIONS.join(' or ')}, found ${value.text}`, value.offset);
    }
    minVersion = version;
  }
  const [{ offset = 0 } = {}] = words;
  if (!isOn) return unparsed('certificates need ssl before them: "ADDRESS ssl crt FILE"', offset);
  if (crt.length === 0) return unparsed('ssl needs a certificate: "ssl crt FILE"', offset);
  return parsed({ crt, minVersion });
}
