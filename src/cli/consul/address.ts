import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { messageOf } from '../../core/errors.ts';
import { type Flags, wrong } from './flags.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_ADDRESS = '127.0.0.1:8500';

/** Where a registry is asked, and with what. */
export interface RegistryAddress {
  /** For people: `http://127.0.0.1:8500`, `unix:///run/consul.sock`. */
  readonly text: string;
  readonly secure: boolean;
  /** What Node needs to get there. */
  readonly options: Pick<
    RequestOptions,
    'host' | 'port' | 'socketPath' | 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'
  >;
  readonly token: string | undefined;
  /** Asked for with `?dc=`; undefined: that of the registry. */
  readonly datacenter: string | undefined;
}

/**
 * As flags and, where they are silent, Consul's environment variables say; throws REQUEST_INVALID:
 * https://developer.hashicorp.com/consul/commands#environment-variables
 */
export function registryAddress(flags: Flags, env: Environment): RegistryAddress {
  const given = flags.text('http-addr') || env.CONSUL_HTTP_ADDR || DEFAULT_ADDRESS;
  const at = { token: tokenOf(flags, env), datacenter: flags.text('datacenter') || undefined };
  const socket = /^unix:\/\/(.+)$/s.exec(given)?.[1];
  if (socket !== undefined) return { ...at, text: given, secure: false, options: { socketPath: socket } };
  const url = urlOf(given, isOn(env.CONSUL_HTTP_SSL, 'CONSUL_HTTP_SSL', false));
  const secure = url.protocol === 'https:';
  const options = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (secure ? 443 : 80),
    ...(secure ? tlsOf(flags, env) : {}),
  };
  return { ...at, text: url.origin, secure, options };
}

/** `host:port`, or with `http://` or `https://` before it. */
function urlOf(text: string, ssl: boolean): URL {
  const url = text.includes('://') ? text : `${ssl ? 'https' : 'http'}://${text}`;
  if (!URL.canParse(url)) throw wrong(`${JSON.stringify(text)} is no address such as ${DEFAULT_ADDRESS}`);
  const parsed = new URL(url);
  if (parsed.protocol === 'http:' && ssl) parsed.protocol = 'https:';
  if (/^https?:$/.test(parsed.protocol)) return parsed;
  throw wrong(`${text}: only http://, https:// and unix:// can be asked`);
}

/** The file wins, as in Consul. */
function tokenOf(flags: Flags, env: Environment): string | undefined {
  const file = flags.text('token-file') || (flags.text('token') ? '' : env.CONSUL_HTTP_TOKEN_FILE);
  const told = file ? textOf(file).trim() : '';
  return told || flags.text('token') || env.CONSUL_HTTP_TOKEN || undefined;
}

function tlsOf(flags: Flags, env: Environment): RegistryAddress['options'] {
  const ca = flags.text('ca-file') || env.CONSUL_CACERT;
  const cert = flags.text('client-cert') || env.CONSUL_CLIENT_CERT;
  const key = flags.text('client-key') || env.CONSUL_CLIENT_KEY;
  const servername = flags.text('tls-server-name') || env.CONSUL_TLS_SERVER_NAME;
  if (Boolean(cert) !== Boolean(key)) throw wrong('-client-cert and -client-key go together');
  return {
    ...(ca ? { ca: textOf(ca) } : {}),
    ...(cert && key ? { cert: textOf(cert), key: textOf(key) } : {}),
    ...(servername ? { servername } : {}),
    rejectUnauthorized: isOn(env.CONSUL_HTTP_SSL_VERIFY, 'CONSUL_HTTP_SSL_VERIFY', true),
  };
}

function isOn(word: string | undefined, name: string, otherwise: boolean): boolean {
  if (word === undefined || word === '') return otherwise;
  if (/^(?:1|t|true)$/i.test(word)) return true;
  if (/^(?:0|f|false)$/i.test(word)) return false;
  throw wrong(`${name} is true or false, not ${word}`);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`${path} cannot be read: ${messageOf(error)}`);
  }
}
