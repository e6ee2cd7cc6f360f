import { VaneError } from '../core/errors.ts';

/** Where something stands in the user's YAML: map keys and list indexes from the root. */
export type Path = readonly (string | number)[];

/** One thing wrong with a configuration, and where. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units as editors count. */
  readonly column: number;
  /** `backends.web.servers[0].intervl`; empty where the whole file is meant. */
  readonly path: string;
  /** What was expected. */
  readonly message: string;
  /** `did you mean interval?` */
  readonly suggestion: string | undefined;
}

/** A problem as the pure parts of this room find it: by path, not yet by line. */
export interface Finding {
  readonly path: Path;
  /** Points at the key, or at the value; an offset counts characters within a text value. */
  readonly at: 'key' | 'value' | { readonly offset: number };
  readonly message: string;
  readonly suggestion?: string | undefined;
}

/** A configuration that cannot be used, with everything that is wrong with it. Code CONFIG_INVALID. */
export class ConfigError extends VaneError {
  readonly problems: readonly Problem[];

  /** `problems` must not be empty; they are put into the order of the files. */
  constructor(problems: readonly Problem[]) {
    const sorted = [...problems].sort(inFileOrder);
    super('CONFIG_INVALID', formatProblems(sorted));
    this.problems = sorted;
  }
}

/** A problem of no place in particular. */
export function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, path: '', message, suggestion: undefined };
}

/** One line per problem, as compilers write them: `file:line:column: path: message`. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('\n');
}

function formatProblem({ file, line, column, path, message, suggestion }: Problem): string {
  const where = `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}`;
  return `${where}${message}${suggestion === undefined ? '' : ` (${suggestion})`}`;
}

/** `backends.web.servers[0]`; a key that could be misread is written `["a.b"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[\w-]+$/.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

function inFileOrder(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
