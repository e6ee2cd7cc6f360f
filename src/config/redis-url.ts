import { type Parsed, parsed, unparsed } from './parsed.ts';

/** One Redis server as a URL says it. */
export interface RedisUrl {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number | undefined;
  readonly secure: boolean;
}

const EXAMPLE = 'redis://10.0.0.5:6379';
const DEFAULT_PORT = 6379;

/** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Never repeats what it was given: it may hold a password. */
export function parseRedisUrl(text: string): Parsed<RedisUrl> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
    return unparsed(`expected memory, sqlite, redis or a URL such as ${EXAMPLE}`);
  }
  const [, database] = /^\/(\d{1,4})?$/.exec(url.pathname || '/') ?? [undefined, 'none'];
  if (database === 'none' || url.search !== '' || url.hash !== '') {
    return unparsed(`expected nothing but the number of a database behind the address, as in ${EXAMPLE}/1`);
  }
  return parsed({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    database: database === undefined ? undefined : Number(database),
    secure: url.protocol === 'rediss:',
  });
}
