/** A request-target taken apart (RFC 9112, section 3.2). */
export interface ParsedTarget {
  /** What goes to an origin server: from the path on, or `*`. */
  readonly originForm: string;
  /** From `/` up to `?`; `*` for a request about the whole server. */
  readonly path: string;
  /** `host[:port]` of an absolute-form target. */
  readonly authority: string | undefined;
  /** The port that an authority without one means; undefined without an authority. */
  readonly defaultPort: '80' | '443' | undefined;
}

/** Octets a request-target may have: visible ASCII, without the fragment sign, which never goes over the wire. */
const TARGET = /^[!"$-~]+$/;
const ABSOLUTE = /^http(s)?:\/\/([^/?@]+)([/?].*)?$/i;

/** Undefined: not a target that a proxy for origin servers takes (authority-form, other schemes, userinfo). */
export function parseTarget(method: string, target: string): ParsedTarget | undefined {
  if (!TARGET.test(target)) return undefined;
  if (target.startsWith('/')) {
    return { originForm: target, path: pathOf(target), authority: undefined, defaultPort: undefined };
  }
  if (target === '*') {
    if (method !== 'OPTIONS') return undefined;
    return { originForm: '*', path: '*', authority: undefined, defaultPort: undefined };
  }
  const parts = ABSOLUTE.exec(target);
  const [, secure, authority, rest = ''] = parts ?? [];
  if (authority === undefined) return undefined;
  const defaultPort = secure === undefined ? '80' : '443';
  // RFC 9112, section 3.2.4: OPTIONS for an authority without a path is about the whole server.
  if (rest === '' && method === 'OPTIONS') return { originForm: '*', path: '*', authority, defaultPort };
  const originForm = rest.startsWith('/') ? rest : `/${rest}`;
  return { originForm, path: pathOf(originForm), authority, defaultPort };
}

/** What goes to an origin server for a target that was understood. */
export function originForm({ method, target }: { readonly method: string; readonly target: string }): string {
  if (target.startsWith('/')) return target;
  return parseTarget(method, target)?.originForm ?? target;
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}
