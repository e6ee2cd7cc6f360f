import { bucket, type Comparing, comparable } from './comparable.ts';
import type { HttpAnswer, NoAnswer } from './http-exchange.ts';
import { eachAt, isObject, type JsonObject, valueAt } from './json-values.ts';
import type { Self } from './target.ts';

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const TIME = /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|UTC|[+-]\d\d:?\d\d))?/g;
const INDEX_IN_TEXT = /("(?:Create|Modify)Index": ?)[1-9]\d*/g;
const INDEXES = ['CreateIndex', 'ModifyIndex'];

/** Texts that go on in the words of Go's own libraries end before those. */
const CUT: readonly (readonly [RegExp, string])[] = [
  [/(Request decode failed: ).*/s, '$1<…>'],
  [/(Failed to create boolean expression evaluator: )\d+:\d+ \(.*/s, '$1<parse error>'],
  [/strconv\.Parse\w+: parsing ".*?": (invalid syntax|value out of range)/s, '<number error>'],
  [/time: (invalid duration|missing unit in duration|unknown unit).*/s, '<duration error>'],
  [/((?:Get|Post|Put|Head) "[^"]*": ).*/s, '$1<…>'],
  [/(dial tcp ).*/s, '$1<…>'],
  [/(error parsing regexp: ).*/s, '$1<…>'],
  [/(Failed to parse body: ).*/s, '$1<…>'],
];

/** The reference's own node has it, and nobody asks for it. */
export const DROPPED_META = 'consul-network-segment';

/** An answer without what differs from run to run and from machine to machine. */
export function comparableHttp(raw: HttpAnswer | NoAnswer, step: Comparing, self: Self): JsonObject {
  if ('error' in raw) return { error: raw.error };
  const out: JsonObject = { status: raw.status, type: raw.type };
  // A refusal may or may not carry an index; nobody waits on it.
  if (raw.status < 400 || raw.status === 404) out.index = stateOf(raw.header['x-consul-index']);
  if (step.headers)
    out.headers = Object.fromEntries(step.headers.map((name) => [name, header(raw, name, self)]));
  if (raw.body !== undefined && !step.text) out.body = body(raw.body, step, self);
  else out.text = plainText(raw.text, self);
  if (step.size) out.size = raw.size;
  if (step.timing) out.took = bucket(raw.ms, step.timing);
  return comparable(out, step);
}

function stateOf(index: string | string[] | undefined): string {
  if (index === undefined) return 'absent';
  return /^[1-9]\d*$/.test(String(index)) ? 'present' : `bad (${index})`;
}

function header(raw: HttpAnswer, name: string, self: Self): string | null {
  const value = raw.header[name.toLowerCase()];
  return value === undefined ? null : plain(String(value), self);
}

function body(value: unknown, step: Comparing, self: Self): unknown {
  let out = value;
  if (step.at !== undefined) {
    out = { missing: true };
    eachAt({ body: value }, `body.${step.at}`, (parent, key) => {
      out = parent[key];
    });
  }
  if (step.only !== undefined) out = narrowed(out, step.only);
  return picked(plainJson(out, self), step);
}

function plainText(text: string, self: Self): string {
  const known = self.replacements.reduce((done, [from, to]) => done.replaceAll(from, to), text);
  const lasting = known.replace(UUID, '<uuid>').replace(TIME, '<time>').replace(INDEX_IN_TEXT, '$1<index>');
  return CUT.reduce((done, [pattern, by]) => done.replace(pattern, by), lasting);
}

function plain(text: string, self: Self): string {
  if (text === self.node) return '<node>';
  if (text === self.address) return '<addr>';
  return text === self.datacenter ? '<dc>' : plainText(text, self);
}

function plainJson(value: unknown, self: Self, key = ''): unknown {
  if (typeof value === 'string') {
    if (key !== 'ContentHash') return plain(value, self);
    return value === '' ? '' : '<hash>';
  }
  if (typeof value === 'number') return INDEXES.includes(key) && value > 0 ? '<index>' : value;
  if (Array.isArray(value)) return value.map((each) => plainJson(each, self));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== DROPPED_META)
      .map(([name, each]) => [plain(name, self), plainJson(each, self, name)]),
  );
}

/** The entries of a list or map that speak of `only`: the others belong to somebody else. */
function narrowed(value: unknown, only: string): unknown {
  if (Array.isArray(value)) return value.filter((each) => JSON.stringify(each).includes(only));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key.includes(only)));
}

function picked(value: unknown, { pick, pickEach }: Comparing): unknown {
  if (pickEach && isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fields(each, pickEach)]));
  }
  if (!pick) return value;
  if (Array.isArray(value)) return value.map((each) => fields(each, pick));
  return isObject(value) ? fields(value, pick) : value;
}

/** The named paths of an entry; where one has a `*`, all that it leads to, as a list. */
function fields(entry: unknown, paths: readonly string[]): JsonObject {
  return Object.fromEntries(
    paths.map((path) => {
      if (!path.split('.').includes('*')) {
        const value = valueAt(entry, path);
        return [path, value === undefined ? '(absent)' : value];
      }
      const all: unknown[] = [];
      eachAt(entry, path, (parent, key) => all.push(parent[key]));
      return [path, all];
    }),
  );
}
