import { parseBind } from './address.ts';
import { parseNetworks } from './address-lines.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { AlpnProtocol, ClientBind, TlsBind } from './runtime/binds.ts';

/** A frontend's `bind` as written: certificates are files still. */
export interface BindLine extends ClientBind {
  readonly ssl: SslWords | undefined;
  /** Where it is written, so that a mode without HTTP can refuse it. */
  readonly proto?: { readonly is: 'h2'; readonly offset: number };
}

export interface SslWords {
  /** In the order written: the first is for clients that ask for no name, or for none of the others'. */
  readonly crt: readonly { readonly path: string; readonly offset: number }[];
  readonly minVersion: TlsBind['minVersion'];
  /** Undefined: those of the frontend's mode. */
  readonly alpn: readonly AlpnProtocol[] | undefined;
}

const KEYWORDS = ['ssl', 'crt', 'ssl-min-ver', 'alpn', 'proto', 'accept-proxy', 'proxy-from'] as const;
const WITH_VALUE: ReadonlySet<string> = new Set(['crt', 'ssl-min-ver', 'alpn']);
const PROTOCOLS: readonly AlpnProtocol[] = ['h2', 'http/1.1'];
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/**
 * `:443 ssl crt site.pem crt other.pem ssl-min-ver TLSv1.3 alpn h2,http/1.1`: an address, and HAProxy's bind parameters for TLS, HTTP/2
 * without it (`proto h2`) and the PROXY protocol (configuration manual, section 5.1). `proxy-from 10.0.0.0/8`, which HAProxy has as a rule
 * (`expect-proxy`), says which networks `accept-proxy` is for.
 */
export function parseBindLine(text: string): Parsed<BindLine> {
  const words = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], offset: match.index }));
  const [first, ...rest] = words;
  const address = parseBind(first?.text ?? '');
  if (!address.ok) return { ...address, offset: (first?.offset ?? 0) + (address.offset ?? 0) };
  const proxy = parseProxy(rest);
  if (!proxy.ok) return proxy;
  const { expectProxy } = proxy.value;
  const spoken = parseProto(proxy.value.others);
  if (!spoken.ok) return spoken;
  const { proto, others } = spoken.value;
  const bind = { ...address.value, ...(expectProxy ? { expectProxy } : {}), ...(proto ? { proto } : {}) };
  if (others.length === 0) return parsed({ ...bind, ssl: undefined });
  const ssl = parseSsl(others);
  if (ssl.ok && proto)
    return unparsed('with ssl, clients agree on h2: "alpn h2" instead of proto', proto.offset);
  return ssl.ok ? parsed({ ...bind, ssl: ssl.value }) : ssl;
}

interface Word {
  readonly text: string;
  readonly offset: number;
}

/** Takes the words of the PROXY protocol out. */
function parseProxy(
  words: readonly Word[],
): Parsed<{ readonly expectProxy: ClientBind['expectProxy']; readonly others: readonly Word[] }> {
  const accept = words.find(({ text }) => text === 'accept-proxy');
  const at = words.findIndex(({ text }) => text === 'proxy-from');
  const [from, value] = at < 0 ? [] : words.slice(at, at + 2);
  if (from && !accept) return unparsed('proxy-from has no use without accept-proxy', from.offset);
  if (from && !value) return unparsed('proxy-from lacks its value', from.offset);
  const networks = value && parseNetworks(value.text);
  if (networks?.ok === false) return { ...networks, offset: (value?.offset ?? 0) + (networks.offset ?? 0) };
  return parsed({
    expectProxy: accept && { from: networks?.value },
    others: words.filter((word) => word !== accept && word !== from && word !== value),
  });
}

/** Takes `proto h2` out. */
function parseProto(
  words: readonly Word[],
): Parsed<{ readonly proto: BindLine['proto']; readonly others: readonly Word[] }> {
  const at = words.findIndex(({ text }) => text === 'proto');
  const [proto, value] = at < 0 ? [] : words.slice(at, at + 2);
  if (!proto) return parsed({ proto: undefined, others: words });
  if (!value) return unparsed('proto lacks its value', proto.offset);
  if (value.text !== 'h2') return unparsed(`expected h2, found ${value.text}`, value.offset);
  return parsed({
    proto: { is: value.text, offset: proto.offset },
    others: words.filter((word) => word !== proto && word !== value),
  });
}

function parseSsl(words: readonly Word[]): Parsed<SslWords> {
  const crt: { path: string; offset: number }[] = [];
  let isOn = false;
  let minVersion: (typeof VERSIONS)[number] = 'TLSv1.2';
  let alpn: SslWords['alpn'];
  for (let i = 0; i < words.length; i++) {
    const { text = '', offset = 0 } = words[i] ?? {};
    if (text === 'ssl') {
      isOn = true;
      continue;
    }
    const value = words[i + 1];
    if (!WITH_VALUE.has(text)) {
      const expected = `expected ${KEYWORDS.join(', ')}`;
      return unparsed(`unknown bind parameter ${text}; ${expected}`, offset, didYouMean(text, KEYWORDS));
    }
    if (!value) return unparsed(`${text} lacks its value`, offset);
    i += 1;
    if (text === 'crt') {
      crt.push({ path: value.text, offset: value.offset });
      continue;
    }
    if (text === 'alpn') {
      const protocols = parseAlpn(value);
      if (!protocols.ok) return protocols;
      alpn = protocols.value;
      continue;
    }
    const version = VERSIONS.find((known) => known === value.text);
    if (!version) {
      return unparsed(`expected ${VERSIONS.join(' or ')}, found ${value.text}`, value.offset);
    }
    minVersion = version;
  }
  const [{ offset = 0 } = {}] = words;
  if (!isOn) return unparsed('certificates and alpn need ssl before them: "ADDRESS ssl crt FILE"', offset);
  if (crt.length === 0) return unparsed('ssl needs a certificate: "ssl crt FILE"', offset);
  return parsed({ crt, minVersion, alpn });
}

/** `h2,http/1.1`, best first. Others have no meaning to anything here. */
function parseAlpn({ text, offset }: Word): Parsed<readonly AlpnProtocol[]> {
  const protocols: AlpnProtocol[] = [];
  let at = offset;
  for (const name of text.split(',')) {
    const protocol = PROTOCOLS.find((known) => known === name);
    if (!protocol) return unparsed(`expected ${PROTOCOLS.join(' or ')}, found ${name || 'nothing'}`, at);
    if (protocols.includes(protocol)) return unparsed(`${name} is given twice`, at);
    protocols.push(protocol);
    at += name.length + 1;
  }
  return parsed(protocols);
}
