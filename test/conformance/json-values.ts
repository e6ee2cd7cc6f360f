// Paths into JSON values, and how two of them differ. A path is dotted; `[Key=value]` picks a list's element and
// `[a.b]` quotes a key that has dots: `body.[Node=a.b].Checks.0.Status`.

export type JsonObject = { [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export function splitPath(path: string): readonly string[] {
  const segments: string[] = [];
  let segment = '';
  let depth = 0;
  for (const char of path) {
    if (char === '[') depth++;
    if (char === ']') depth--;
    if (char === '.' && depth === 0) {
      segments.push(segment);
      segment = '';
    } else segment += char;
  }
  return [...segments, segment];
}

/** Undefined where the path leads nowhere. */
export function valueAt(root: unknown, path: string): unknown {
  return splitPath(path).reduce(stepInto, root);
}

function stepInto(value: unknown, segment: string): unknown {
  const [, key, wanted] = /^\[([^=\]]+)=(.*)\]$/s.exec(segment) ?? [];
  if (key !== undefined) {
    if (!Array.isArray(value)) return undefined;
    return value.find((each) => isObject(each) && String(valueAt(each, key)) === wanted);
  }
  return own(value, unquoted(segment));
}

/** Calls `visit` with every list or object, and the key in it, that the path names; `*` is every key. */
export function eachAt(root: unknown, path: string, visit: (parent: JsonObject, key: string) => void): void {
  const segments = splitPath(path).map(unquoted);
  const walk = (value: unknown, depth: number) => {
    if (!isContainer(value)) return;
    const segment = segments[depth] ?? '';
    for (const key of segment === '*' ? Object.keys(value) : [segment]) {
      if (!Object.hasOwn(value, key)) continue;
      if (depth === segments.length - 1) visit(value, key);
      else walk(value[key], depth + 1);
    }
  };
  walk(root, 0);
}

/** Lists, too: their elements have the index as key. */
function isContainer(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object';
}

function own(value: unknown, key: string): unknown {
  return isContainer(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function unquoted(segment: string): string {
  return /^\[[^=]*\]$/.test(segment) ? segment.slice(1, -1) : segment;
}

/** JSON with its keys in order: equal for equal values. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'undefined';
  const entries = Object.keys(value).sort();
  return `{${entries.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

export function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Where two values part; undefined stands for a field that is not there. */
export interface Difference {
  readonly path: string;
  readonly expected: unknown;
  readonly got: unknown;
}

/** The first difference. The order of an object's keys never counts. */
export function firstDifference(expected: unknown, got: unknown, path: string): Difference | undefined {
  if (expected === got) return undefined;
  const comparable = typeOf(expected) === typeOf(got) && isContainer(expected) && isContainer(got);
  if (!comparable) return { path, expected, got };
  for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
    const difference = firstDifference(own(expected, key), own(got, key), `${path}.${key}`);
    if (difference) return difference;
  }
  return undefined;
}
