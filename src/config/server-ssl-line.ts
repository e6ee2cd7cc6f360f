import { parseHost } from './address.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';

/** How servers are spoken to over TLS, as written: the file of trusted certificates is not read yet. */
export interface ServerSslWords {
  readonly verify: 'required' | 'none';
  /** Undefined: those that Node trusts by itself. */
  readonly caFile: { readonly path: string; readonly offset: number } | undefined;
  /** Name to ask for and to be shown a certificate of; undefined: that of the entry. */
  readonly sni: string | undefined;
}

export const DEFAULT_SERVER_SSL: ServerSslWords = { verify: 'required', caFile: undefined, sni: undefined };

const KEYWORDS = ['verify', 'ca-file', 'sni'] as const;

/**
 * `verify required ca-file /etc/ca.pem sni api.internal`: HAProxy's server parameters for TLS, in any order, each at
 * most once (configuration manual, section 5.2; `sni` is a name here, not an expression).
 */
export function parseServerSsl(text: string): Parsed<ServerSslWords> {
  const words = [...text.matchAll(/\S+/g)];
  if (words.length === 0) return unparsed('expected true, or parameters such as "ca-file FILE"');
  const given = new Map<string, { readonly text: string; readonly offset: number }>();
  for (let i = 0; i < words.length; i += 2) {
    const [word, offset] = [words[i]?.[0] ?? '', words[i]?.index ?? 0];
    if (!KEYWORDS.some((known) => known === word)) {
      const expected = `expected ${KEYWORDS.join(', ')}`;
      return unparsed(`unknown ssl parameter ${word}; ${expected}`, offset, didYouMean(word, KEYWORDS));
    }
    if (given.has(word)) return unparsed(`${word} is given twice`, offset);
    const value = words[i + 1];
    if (value === undefined) return unparsed(`${word} lacks its value`, offset);
    given.set(word, { text: value[0], offset: value.index });
  }
  const verify = given.get('verify');
  if (verify && verify.text !== 'required' && verify.text !== 'none') {
    return unparsed(`expected required or none, found ${verify.text}`, verify.offset);
  }
  const sni = given.get('sni');
  const host = sni && parseHost(sni.text);
  if (sni && host?.ok !== true) return unparsed(`expected a host name, found ${sni.text}`, sni.offset);
  const caFile = given.get('ca-file');
  if (verify?.text === 'none' && caFile) {
    return unparsed('ca-file has no use with verify none', caFile.offset);
  }
  return parsed({
    verify: verify?.text === 'none' ? 'none' : 'required',
    caFile: caFile && { path: caFile.text, offset: caFile.offset },
    sni: host?.ok ? host.value.host : undefined,
  });
}
