import { readFileSync } from 'node:fs';
import { parseHostPort } from '../../config/address.ts';
import { didYouMean } from '../../config/nearest.ts';
import { ConfigError, wholeFile } from '../../config/problem.ts';
import { messageOf } from '../../core/errors.ts';
import { hostPort } from '../../health/network-errors.ts';

/** A configuration that is the value of a key in a Consul, which another Vane may be. */
export interface KvAddress {
  /** For people and messages: without what follows the key. */
  readonly text: string;
  /** `http://10.0.0.1:8500`; one after which asking fails is left for the next. */
  readonly urls: readonly string[];
  readonly key: string;
  /** Undefined: that of whoever is asked. */
  readonly datacenter: string | undefined;
  /** PEM; undefined: the certificates the system trusts. */
  readonly ca: string | undefined;
  /** What is shown now; a file is read anew each time. Throws when it cannot be read. */
  readonly token: () => string | undefined;
  /** Where the last good one is kept for starts without the store; undefined: nowhere. */
  readonly cache: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORT = 8500;
const PARAMETERS = ['token-file', 'ca-file', 'dc', 'cache'];
const EXPECTED = 'expected kv://host:port[,host:port…]/key, or kvs:// for HTTPS';

export function isKvAddress(path: string): boolean {
  return /^kvs?:\/\//.test(path);
}

/**
 * `kv://host:port[,host:port…]/key?token-file=…&ca-file=…&dc=…&cache=…`; what it does not say of the token and of
 * certificates is in Consul's environment variables, as for other commands. Throws {@link ConfigError}.
 */
export function parseKvAddress(address: string, env: Environment): KvAddress {
  const [, scheme = '', hosts = '', path = '', query = ''] =
    /^(kvs?):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(address) ?? [];
  const text = `${scheme}://${hosts}/${path}`;
  const refuse = (message: string): never => {
    throw new ConfigError([wholeFile(text, message)]);
  };
  if (scheme === '' || hosts === '' || path === '') return refuse(EXPECTED);
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (PARAMETERS.includes(name)) continue;
    const suggestion = didYouMean(name, PARAMETERS) ?? `there are ${PARAMETERS.join(', ')}`;
    refuse(`unknown parameter ${name} (${suggestion})`);
  }
  const said = (name: string) => parameters.get(name) || undefined;
  const protocol = scheme === 'kvs' ? 'https' : 'http';
  const caFile = said('ca-file') ?? (protocol === 'https' ? env.CONSUL_CACERT || undefined : undefined);
  if (caFile !== undefined && protocol === 'http') refuse('ca-file has no use with kv://, only with kvs://');
  const file = said('token-file') ?? (env.CONSUL_HTTP_TOKEN_FILE || undefined);
  return {
    text,
    urls: hosts.split(',').map((host) => `${protocol}://${addressOf(host, refuse)}`),
    key: keyOf(path, refuse),
    datacenter: said('dc'),
    ca: caFile === undefined ? undefined : textOf(caFile, refuse),
    token: () =>
      (file === undefined ? env.CONSUL_HTTP_TOKEN : readFileSync(file, 'utf8').trim()) || undefined,
    cache: said('cache'),
  };
}

function addressOf(text: string, refuse: (message: string) => never): string {
  const address = parseHostPort(text);
  if (!address.ok) return refuse(`${address.message}; ${EXPECTED}`);
  return hostPort(address.value.host, address.value.port ?? DEFAULT_PORT);
}

function keyOf(path: string, refuse: (message: string) => never): string {
  try {
    const key = decodeURIComponent(path);
    return key.endsWith('/') ? refuse(`${key} is a folder: expected a key, whose value is the YAML`) : key;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    return refuse(`${path} cannot be read as a key: a % is written %25`);
  }
}

function textOf(file: string, refuse: (message: string) => never): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return refuse(`ca-file cannot be read: ${messageOf(error)}`);
  }
}
