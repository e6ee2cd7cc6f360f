/**
 * The value of the first cookie with this name, as it is written (RFC 6265, section 5.4); undefined: there is none.
 */
export function cookieValue(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!isCookie(headers[i] ?? '')) continue;
    const line = headers[i + 1] ?? '';
    const at = findPair(line, name);
    if (at !== -1) return valueAt(line, at + name.length + 1);
  }
  return undefined;
}

/**
 * The fields with other values for the cookies of this name; undefined removes one, and a field that has no other.
 * Fields that do not have it stay as they came.
 */
export function editCookies(
  headers: readonly string[],
  name: string,
  edit: (value: string) => string | undefined,
): readonly string[] {
  let edited: string[] | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [field = '', line = ''] = [headers[i], headers[i + 1]];
    if (!isCookie(field) || findPair(line, name) === -1) {
      edited?.push(field, line);
      continue;
    }
    edited ??= headers.slice(0, i);
    const kept = line.split(';').flatMap((pair) => editPair(pair, name, edit) ?? []);
    const text = kept.join(';').trim();
    if (text !== '') edited.push(field, text);
  }
  return edited ?? headers;
}

function editPair(
  pair: string,
  name: string,
  edit: (value: string) => string | undefined,
): string | undefined {
  if (findPair(pair, name) === -1) return pair;
  const value = edit(valueAt(pair, pair.indexOf('=') + 1));
  return value === undefined ? undefined : ` ${name}=${value}`;
}

function isCookie(field: string): boolean {
  return field.length === 6 && field.toLowerCase() === 'cookie';
}

/** Where a pair of that name begins; -1: nowhere. Only blanks stand between it and the semicolon before it. */
function findPair(line: string, name: string): number {
  for (let at = line.indexOf(name); at !== -1; at = line.indexOf(name, at + 1)) {
    if (line[at + name.length] !== '=') continue;
    let before = at - 1;
    while (before >= 0 && (line[before] === ' ' || line[before] === '\t')) before--;
    if (before < 0 || line[before] === ';') return at;
  }
  return -1;
}

function valueAt(line: string, from: number): string {
  const end = line.indexOf(';', from);
  return line.slice(from, end === -1 ? undefined : end).trim();
}
