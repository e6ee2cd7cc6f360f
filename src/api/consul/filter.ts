import type { Shape } from './filter-shapes.ts';
import {
  type Expression,
  FilterSyntaxError,
  type Match,
  type Operator,
  parseFilter,
} from './filter-syntax.ts';
import { compileRegExp, PatternError } from './linear-regexp.ts';
import { parseBool } from './query.ts';
import { Refusal } from './refusal.ts';

type Test = (value: unknown) => boolean;

/** What each kind of field can be asked (go-bexpr's supported operators). */
const OPERATORS: Readonly<Record<Shape['kind'], readonly Operator[]>> = {
  string: ['Equal', 'In', 'Matches'],
  int: ['Equal'],
  bool: ['Equal'],
  strings: ['In', 'Is Empty'],
  map: ['In', 'Is Empty'],
  list: ['Is Empty'],
  struct: [],
};

/** Consul starts most complaints with this; agent/checks does not. */
export const EVALUATOR = 'Failed to create boolean expression evaluator: ';

/**
 * Compiles a `filter` parameter against the shape of what it filters: the JSON objects that are answered.
 * Every complaint is a 500, as in Consul. Without an expression everything passes.
 */
export function filterOf(
  expression: string | null,
  shape: Shape,
  prefix = EVALUATOR,
): (value: object) => boolean {
  if (expression === null || expression === '') return () => true;
  try {
    return compile(parseFilter(expression), shape);
  } catch (error) {
    const known =
      error instanceof FilterSyntaxError || error instanceof FilterError || error instanceof PatternError;
    if (known) throw new Refusal(500, `${prefix}${error.message}`);
    throw error;
  }
}

class FilterError extends Error {}

function compile(expression: Expression, shape: Shape): Test {
  switch (expression.op) {
    case 'and': {
      const [left, right] = [compile(expression.left, shape), compile(expression.right, shape)];
      return (value) => left(value) && right(value);
    }
    case 'or': {
      const [left, right] = [compile(expression.left, shape), compile(expression.right, shape)];
      return (value) => left(value) || right(value);
    }
    case 'not': {
      const inner = compile(expression.of, shape);
      return (value) => !inner(value);
    }
    case 'match':
      return along(expression.selector, 0, shape, expression);
  }
}

/** Follows the selector down the shape and, in the test it returns, down a value. */
function along(path: readonly string[], depth: number, shape: Shape, match: Match): Test {
  const name = path[depth];
  if (shape.kind === 'list' && name !== undefined) {
    const inner = along(path, depth, shape.of, match);
    return (value) => Array.isArray(value) && value.some(inner);
  }
  if (name === undefined) return leaf(shape, match);
  const next = shape.kind === 'map' ? shape.of : fieldOf(shape, name);
  if (!next)
    throw new FilterError(`Selector ${JSON.stringify(path.slice(0, depth + 1).join('.'))} is not valid`);
  const inner = along(path, depth + 1, next, match);
  const missing = match.negated;
  return (value) => {
    const found = member(value, name);
    // An entry that a map does not have equals nothing and contains nothing.
    return shape.kind === 'map' && found === undefined ? missing : inner(found);
  };
}

function fieldOf(shape: Shape, name: string): Shape | undefined {
  return shape.kind === 'struct' && Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

function leaf(shape: Shape, match: Match): Test {
  const { operator, negated, value = '' } = match;
  const selector = JSON.stringify(match.selector.join('.'));
  if (!OPERATORS[shape.kind].includes(operator)) {
    const shown = negated ? NEGATED[operator] : operator;
    throw new FilterError(`Invalid match operator ${JSON.stringify(shown)} for selector ${selector}`);
  }
  const test = operator === 'Equal' ? equality(shape, value, selector) : TESTS[operator](value);
  // A string left out of an answer is an empty one.
  const asked: Test = shape.kind === 'string' ? (found) => test(found ?? '') : test;
  return negated ? (found) => !asked(found) : asked;
}

const NEGATED: Readonly<Record<Operator, string>> = {
  Equal: 'Not Equal',
  In: 'Not In',
  'Is Empty': 'Is Not Empty',
  Matches: 'Not Matches',
};

const TESTS: Readonly<Record<Exclude<Operator, 'Equal'>, (value: string) => Test>> = {
  In: (wanted) => (found) =>
    typeof found === 'string' || Array.isArray(found)
      ? found.includes(wanted)
      : typeof found === 'object' && found !== null && Object.hasOwn(found, wanted),
  'Is Empty': () => (found) =>
    found === null || found === undefined || (typeof found === 'object' && Object.keys(found).length === 0),
  Matches: (pattern) => {
    const compiled = compilePattern(pattern);
    return (found) => typeof found === 'string' && compiled.test(found);
  },
};

function compilePattern(pattern: string): ReturnType<typeof compileRegExp> {
  try {
    return compileRegExp(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const shown = JSON.stringify(pattern);
    throw new FilterError(
      `Failed to compile regular expression ${shown}: error parsing regexp: ${error.message}`,
    );
  }
}

/** Compares with the value as the field's kind. */
function equality(shape: Shape, value: string, selector: string): Test {
  if (shape.kind === 'string') return (found) => found === value;
  const wanted = shape.kind === 'bool' ? parseBool(value) : parseInteger(value);
  if (wanted === undefined) {
    const parser = shape.kind === 'bool' ? 'ParseBool' : 'ParseInt';
    throw new FilterError(
      `Failed to coerce value ${JSON.stringify(value)} for selector ${selector}: ` +
        `strconv.${parser}: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }
  return (found) => found === wanted;
}

function parseInteger(value: string): number | undefined {
  return /^-?\d+$/.test(value) ? Number(value) : undefined;
}
