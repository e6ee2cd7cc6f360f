/** A pattern longer than this is generated, not written; HAProxy's own lines end at 2048. */
const LONGEST = 1024;

/**
 * The regular expression of an acl's `reg` pattern, as it is matched at run time. Throws a SyntaxError with the
 * engine's words when it is none, a RangeError when it is too long.
 */
export function compileRegex(pattern: string, ignoreCase: boolean): RegExp {
  if (pattern.length > LONGEST) throw new RangeError(`a regular expression may have ${LONGEST} characters`);
  return new RegExp(pattern, ignoreCase ? 'i' : '');
}
