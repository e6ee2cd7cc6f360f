import type { z } from 'zod';
import { jsonSchema } from './json-schema.ts';
import { didYouMean } from './nearest.ts';
import type { Finding, Path } from './problem.ts';

/** Turns what the schema library reports into findings, in the words users read. */

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/** The schema as its own description, to say which keys are known at a place. */
const described = jsonSchema();

/** Words each issue that its schema does not word itself. */
export function wordIssue(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${NOUNS.get(issue.expected) ?? issue.expected}, found ${show(issue.input)}`;
    case 'invalid_value':
      return `expected ${either(issue.values.map(String))}, found ${show(issue.input)}`;
    case 'too_small':
      return issue.origin === 'number' ? `must be at least ${issue.minimum}` : 'must not be empty';
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    default:
      return UNWORDED;
  }
}

/** For issues that {@link findingsOf} words itself. */
const UNWORDED = 'not valid';

const NOUNS: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['number', 'a whole number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a mapping'],
  ['record', 'a mapping'],
]);

/** The findings of one issue: an unknown key is one each, a union speaks of the branch that was meant. */
export function findingsOf(issue: Issue, base: Path = []): readonly Finding[] {
  const path: Path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key));
    case 'invalid_key':
      return [{ path, at: 'key', message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_union':
      return unionFindings(issue, path);
    case 'custom': {
      const { offset, suggestion } = paramsOf(issue.params);
      return [{ path, at: offset === undefined ? 'value' : { offset }, message: issue.message, suggestion }];
    }
    case 'invalid_value': {
      const { input, values, message } = issue;
      // Nothing but text is a slip of the pen; a mapping may not even have a text.
      const suggestion = typeof input === 'string' ? didYouMean(input, values.map(String)) : undefined;
      return [{ path, at: 'value', message, suggestion }];
    }
    default:
      return [{ path, at: 'value', message: issue.message }];
  }
}

function unknownKey(path: Path, key: string): Finding {
  const known = knownKeys(path);
  const suggestion = didYouMean(key, known);
  const message = suggestion === undefined ? `unknown key; expected ${either(known)}` : 'unknown key';
  return { path: [...path, key], at: 'key', message, suggestion };
}

/** A value that has the type of one branch was meant as that branch: its problems are the ones to tell. */
function unionFindings(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path): readonly Finding[] {
  const meant = issue.errors.filter((branch) => !branch.some(isOfAnotherType));
  const [branch] = meant;
  if (branch && meant.length === 1) return branch.flatMap((inner) => findingsOf(inner, path));
  if (issue.message !== UNWORDED) {
    return [{ path, at: 'value', message: `${issue.message}, found ${show(issue.input)}` }];
  }
  const options = issue.errors.flatMap((inner) =>
    inner.flatMap((one) => (isOfAnotherType(one) ? wanted(one) : [])),
  );
  return [
    { path, at: 'value', message: `expected ${either([...new Set(options)])}, found ${show(issue.input)}` },
  ];
}

function isOfAnotherType(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function wanted(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  return issue.code === 'invalid_type' ? [NOUNS.get(issue.expected) ?? issue.expected] : [];
}

function paramsOf(params: Readonly<Record<string, unknown>> = {}): { offset?: number; suggestion?: string } {
  const { offset, suggestion } = params;
  return {
    ...(typeof offset === 'number' ? { offset } : {}),
    ...(typeof suggestion === 'string' ? { suggestion } : {}),
  };
}

function knownKeys(path: Path): readonly string[] {
  let schemas: readonly object[] = branches(described);
  for (const step of path) schemas = schemas.flatMap((schema) => branches(stepInto(schema, step)));
  return schemas.flatMap((schema) => Object.keys(record(property(schema, 'properties'))));
}

function stepInto(schema: object, step: string | number): unknown {
  if (typeof step === 'number') return property(schema, 'items');
  const properties = record(property(schema, 'properties'));
  return Object.hasOwn(properties, step) ? properties[step] : property(schema, 'additionalProperties');
}

function branches(schema: unknown): readonly object[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const anyOf = property(schema, 'anyOf');
  return Array.isArray(anyOf) ? anyOf.flatMap(branches) : [schema];
}

function property(schema: object, name: string): unknown {
  return record(schema)[name];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** `a, b or c`. */
export function either(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? 'none') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

const LONGEST_SHOWN = 60;

/** A value as messages name it: short, texts in quotes. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
