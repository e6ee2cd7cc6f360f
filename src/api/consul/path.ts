import { posix } from 'node:path';

/** Everything that is neither a control, format, private-use, separator nor unassigned character, and the space. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** Most paths: printable ASCII without escapes, which needs neither decoding nor a look at each character's class. */
const PLAIN = /^[!-$&-~]*$/;
/** What {@link cleanPath} has to do with: an empty segment, or one that begins with a dot. */
const UNCLEAN = /\/[./]/;

/** A request target taken apart. */
export interface Target {
  /** Percent-decoded. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
}

/** Undefined for a target whose path cannot be decoded or has unprintable characters (Consul: 400). */
export function parseTarget(url: string): Target | undefined {
  const mark = url.indexOf('?');
  const raw = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark + 1);
  if (PLAIN.test(raw)) return { path: raw, query };
  try {
    const path = decodeURIComponent(raw);
    return UNPRINTABLE.test(path) ? undefined : { path, query };
  } catch {
    return undefined;
  }
}

/** The path without `//`, `.` and `..`, a trailing slash kept (Go's http.ServeMux cleans paths this way). */
export function cleanPath(path: string): string {
  if (path.startsWith('/') && !UNCLEAN.test(path)) return path;
  return posix.normalize(`/${path}`);
}

/** A path and query as a Location header has them. */
export function location(path: string, query: string): string {
  const encoded = path
    .split('/')
    .map((segment) => encodeURIComponent(segment).replace(/%(?:3A|40|26|3D|2B|24|2C)/g, decodeURIComponent))
    .join('/');
  return query === '' ? encoded : `${encoded}?${query}`;
}
