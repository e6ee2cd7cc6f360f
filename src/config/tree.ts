import { type Finding, formatPath, type Path, type Problem } from './problem.ts';

/** A place in a file; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The user's YAML with the place of everything in it. Aliases are copied out, variables are filled in. */
export type Tree = MapNode | ListNode | ScalarNode;

export interface MapNode {
  readonly kind: 'map';
  readonly path: Path;
  readonly place: Place;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Keys that {@link prune} took out. */
  readonly pruned: ReadonlySet<string>;
}

export interface Entry {
  readonly keyPlace: Place;
  readonly value: Tree;
}

export interface ListNode {
  readonly kind: 'list';
  readonly path: Path;
  readonly place: Place;
  readonly items: readonly Tree[];
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly path: Path;
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /**
   * For each character of a text, its distance in columns from `place`; undefined where the characters of the
   * file are not those of the text (block scalars, escapes).
   */
  readonly columns: readonly number[] | undefined;
}

/** The tree as plain values, for validation. Keys are safe: the reader refuses `__proto__`. */
export function toPlain(tree: Tree): unknown {
  switch (tree.kind) {
    case 'scalar':
      return tree.value;
    case 'list':
      return tree.items.map(toPlain);
    case 'map':
      return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, toPlain(value)]));
  }
}

/** The node at a path; undefined when there is none. */
export function nodeAt(tree: Tree, path: Path): Tree | undefined {
  let node: Tree | undefined = tree;
  for (const step of path) node = node && child(node, step);
  return node;
}

function child(node: Tree, step: string | number): Tree | undefined {
  // Where a list may stand, one value stands for a list of one.
  if (node.kind === 'scalar') return step === 0 ? node : undefined;
  if (node.kind === 'map') return node.entries.get(String(step))?.value;
  return typeof step === 'number' ? node.items[step] : undefined;
}

/** The keys the user wrote at a path, those that were pruned included. */
export function keysAt(tree: Tree, path: Path): ReadonlySet<string> {
  const node = nodeAt(tree, path);
  return node?.kind === 'map' ? new Set([...node.entries.keys(), ...node.pruned]) : new Set();
}

/** A copy without the given nodes; undefined when the root is one of them. */
export function prune(tree: Tree, without: ReadonlySet<Tree>): Tree | undefined {
  if (without.has(tree)) return undefined;
  if (tree.kind === 'scalar') return tree;
  if (tree.kind === 'list') {
    return { ...tree, items: tree.items.flatMap((item) => prune(item, without) ?? []) };
  }
  const entries = new Map<string, Entry>();
  const pruned = new Set(tree.pruned);
  for (const [key, entry] of tree.entries) {
    const value = prune(entry.value, without);
    if (value) entries.set(key, { ...entry, value });
    else pruned.add(key);
  }
  return { ...tree, entries, pruned };
}

/**
 * Gives a finding its line. Its path is one of `tree`, which may be pruned; the problem names the path as the
 * user's file has it. What is missing is told at the key of the mapping that lacks it.
 */
export function locate(tree: Tree, finding: Finding): Problem {
  const depth = depthOf(tree, finding.path);
  const found = finding.path.slice(0, depth);
  const node = nodeAt(tree, found) ?? tree;
  const missing = finding.path.slice(depth);
  const atKey = missing.length > 0 || finding.at === 'key';
  const place = (atKey && keyPlace(tree, found)) || placeIn(node, finding.at);
  return {
    ...place,
    path: formatPath([...node.path, ...missing]),
    message: finding.message,
    suggestion: finding.suggestion,
  };
}

/** How many steps of the path lead to something that is there. */
function depthOf(tree: Tree, path: Path): number {
  let node: Tree | undefined = tree;
  for (const [depth, step] of path.entries()) {
    node = child(node, step);
    if (!node) return depth;
  }
  return path.length;
}

function keyPlace(tree: Tree, path: Path): Place | undefined {
  const parent = nodeAt(tree, path.slice(0, -1));
  const key = path.at(-1);
  return parent?.kind === 'map' && key !== undefined ? parent.entries.get(String(key))?.keyPlace : undefined;
}

function placeIn(node: Tree, at: Finding['at']): Place {
  if (typeof at === 'string' || node.kind !== 'scalar' || !node.columns) return node.place;
  const { columns, place } = node;
  // Past the end: something is lacking there.
  const column = columns[at.offset] ?? (columns.at(-1) ?? -1) + 1;
  return { ...place, column: place.column + column };
}
