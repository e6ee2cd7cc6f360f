import type { Finding, Path } from '../problem.ts';

/** What the resolving of a file needs besides the file. */
export interface ResolveContext {
  /** Name of this node where the file gives none. */
  readonly hostname: string;
  /** Absolute: what relative paths in the file start from. */
  readonly cwd: string;
  /** Processes that this machine runs at once. */
  readonly cores: number;
  /**
   * The keys the user wrote at a path, also those whose value is not valid and therefore absent here: so that
   * one mistake is told once.
   */
  readonly keys: (path: Path) => ReadonlySet<string>;
  /** The text of a file that the configuration names. Throws when it cannot be read. */
  readonly readFile: (path: string) => string;
  readonly report: (finding: Finding) => void;
}

/** Reports a key that must be there and is not. */
export function requireKey(context: ResolveContext, path: Path, key: string, what: string): void {
  if (context.keys(path).has(key)) return;
  context.report({ path: [...path, key], at: 'key', message: `missing: expected ${what}` });
}

/** True when a key was written but its value was not valid: nothing should be concluded from its absence. */
export function isBroken(context: ResolveContext, path: Path, value: unknown): boolean {
  return value === undefined && context.keys(path.slice(0, -1)).has(String(path.at(-1)));
}
