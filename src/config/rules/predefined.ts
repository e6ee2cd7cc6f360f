import type { AclTest } from '../runtime/rules.ts';

/** HAProxy's predefined acls (configuration manual, section 7.4), as far as what they test exists here. */
export const PREDEFINED_ACLS: ReadonlyMap<string, AclTest> = new Map([
  ['TRUE', test({ kind: 'always_true' }, 'bool')],
  ['FALSE', test({ kind: 'always_false' }, 'bool')],
  ['LOCALHOST', test({ kind: 'src' }, 'ip', '127.0.0.0/8', '::1')],
  // Only valid requests get as far as a rule.
  ['HTTP', test({ kind: 'method' }, 'found')],
  ['HTTP_URL_ABS', test({ kind: 'url' }, 'reg', '^[^/:]*://')],
  ['HTTP_URL_SLASH', test({ kind: 'url' }, 'beg', '/')],
  ['HTTP_URL_STAR', test({ kind: 'url' }, 'str', '*')],
  ['METH_CONNECT', method('CONNECT')],
  ['METH_DELETE', method('DELETE')],
  ['METH_GET', method('GET', 'HEAD')],
  ['METH_HEAD', method('HEAD')],
  ['METH_OPTIONS', method('OPTIONS')],
  ['METH_POST', method('POST')],
  ['METH_PUT', method('PUT')],
  ['METH_TRACE', method('TRACE')],
]);

function method(...names: readonly string[]): AclTest {
  return { ...test({ kind: 'method' }, 'str', ...names), ignoreCase: true };
}

function test(fetch: AclTest['fetch'], match: AclTest['match'], ...patterns: readonly string[]): AclTest {
  return { fetch, match, ignoreCase: false, patterns };
}
