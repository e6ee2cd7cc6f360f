import { either, show } from '../../config/issues.ts';
import { didYouMean } from '../../config/nearest.ts';
import { formatPath, type Path, type Problem } from '../../config/problem.ts';
import { type Entry, type MapNode, type Place, type Tree, toPlain } from '../../config/tree.ts';
import { type Field, type Fields, fits } from '../consul/decode.ts';
import type { JsonValue } from '../consul/json-reader.ts';
import { fileKey, means } from './shapes.ts';

export type Report = (problem: Problem) => void;

const NOTHING: JsonValue = { kind: 'null' };

/**
 * What a file says, as the API would be told it: keys are the fields' own. What does not fit is reported where it
 * stands, and left out.
 */
export function decodeTree(node: Tree, field: Field<unknown>, report: Report): JsonValue {
  if (node.kind === 'scalar' && node.value === null) return NOTHING;
  if (field.fields) {
    if (node.kind !== 'map') return misfit(node, 'a mapping', report);
    return { kind: 'object', members: decodeFields(node, field.fields, report) };
  }
  const { item } = field;
  if (item && field.type.startsWith('map')) {
    if (node.kind !== 'map') return misfit(node, 'a mapping', report);
    const members = [...node.entries].map(
      ([key, { value }]) => [key, decodeTree(value, item, report)] as const,
    );
    return { kind: 'object', members };
  }
  if (item) {
    if (node.kind !== 'list') return misfit(node, 'a list', report);
    return { kind: 'array', items: node.items.map((each) => decodeTree(each, item, report)) };
  }
  return decodeScalar(node, field, report);
}

/** The place of what a mapping says of a field, or that of the mapping where it says nothing of it. */
export function placeOf(node: MapNode, field: string): Place & { readonly path: Path } {
  const found = [...node.entries].find(([key]) => means(key, field));
  if (!found) return { ...node.place, path: node.path };
  return { ...found[1].value.place, path: found[1].value.path };
}

/** Says that something is wrong there. */
export function problemAt(
  place: Place & { readonly path: Path },
  message: string,
  suggestion?: string,
): Problem {
  const { file, line, column, path } = place;
  return { file, line, column, path: formatPath(path), message, suggestion };
}

function decodeFields(node: MapNode, fields: Fields, report: Report): (readonly [string, JsonValue])[] {
  const names = Object.keys(fields);
  const seen = new Map<string, Entry>();
  return [...node.entries].flatMap(([key, entry]): (readonly [string, JsonValue])[] => {
    const name = names.find((each) => means(key, each));
    const field = name === undefined ? undefined : fields[name];
    const at = { ...entry.keyPlace, path: [...node.path, key] };
    if (name === undefined || field === undefined) {
      report(problemAt(at, ...unknownKey(key, names.map(fileKey))));
      return [];
    }
    const earlier = seen.get(name);
    if (earlier) {
      report(problemAt(at, `says the same as the key on line ${earlier.keyPlace.line}`));
      return [];
    }
    seen.set(name, entry);
    return [[name, decodeTree(entry.value, field, report)]];
  });
}

/** The message, and the suggestion if there is one. */
export function unknownKey(key: string, known: readonly string[]): [message: string, suggestion?: string] {
  const suggestion = didYouMean(key, known);
  return suggestion === undefined ? [`unknown key; expected ${either(known)}`] : ['unknown key', suggestion];
}

const NOUNS: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['int', 'a whole number'],
  ['bool', 'true or false'],
  ['time.Duration', 'a duration such as 10s or 1m30s'],
]);

function decodeScalar(node: Tree, field: Field<unknown>, report: Report): JsonValue {
  const value = jsonOf(node);
  // A bare number is nanoseconds in the API, which nobody means in a file; Consul refuses it there.
  const isBare = field.type === 'time.Duration' && value.kind === 'number';
  if (!isBare && fits(field, value)) return value;
  return misfit(node, NOUNS.get(field.type) ?? field.type, report);
}

function misfit(node: Tree, expected: string, report: Report): JsonValue {
  report(problemAt({ ...node.place, path: node.path }, `expected ${expected}, found ${show(toPlain(node))}`));
  return NOTHING;
}

function jsonOf(node: Tree): JsonValue {
  switch (node.kind) {
    case 'map':
      return {
        kind: 'object',
        members: [...node.entries].map(([key, { value }]) => [key, jsonOf(value)]),
      };
    case 'list':
      return { kind: 'array', items: node.items.map(jsonOf) };
    case 'scalar': {
      const { value } = node;
      if (typeof value === 'string') return { kind: 'string', value };
      if (typeof value === 'number') return { kind: 'number', text: String(value) };
      return typeof value === 'boolean' ? { kind: 'bool', value } : NOTHING;
    }
  }
}
