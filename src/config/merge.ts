import type { Problem } from './problem.ts';
import type { Entry, MapNode, Tree } from './tree.ts';

/** Sections that hold named entries: several files may add to them. */
const NAMED_SECTIONS: ReadonlySet<string> = new Set(['resolvers', 'frontends', 'backends']);

/**
 * Several files as one. A named entry (a backend, say) and each of the other sections is whole in one file: a
 * second one is a problem, told where it stands.
 */
export function mergeTrees(trees: readonly MapNode[]): {
  tree: MapNode | undefined;
  problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const [first, ...others] = trees;
  const tree = first && others.reduce((into, from) => mergeMaps(into, from, NAMED_SECTIONS, problems), first);
  return { tree, problems };
}

function mergeMaps(
  into: MapNode,
  from: MapNode,
  mergeable: ReadonlySet<string>,
  problems: Problem[],
): MapNode {
  const entries = new Map(into.entries);
  for (const [key, entry] of from.entries) {
    const present = entries.get(key);
    const both = present && mergeable.has(key) && mapsOf(present.value, entry.value);
    if (!present) entries.set(key, entry);
    else if (both) entries.set(key, { ...present, value: mergeMaps(...both, new Set(), problems) });
    else problems.push(duplicate(into, key, entry, present));
  }
  return { ...into, entries };
}

function mapsOf(a: Tree, b: Tree): [MapNode, MapNode] | undefined {
  return a.kind === 'map' && b.kind === 'map' ? [a, b] : undefined;
}

function duplicate({ path }: MapNode, key: string, entry: Entry, earlier: Entry): Problem {
  const { file, line } = earlier.keyPlace;
  return {
    ...entry.keyPlace,
    path: [...path, key].join('.'),
    message: `duplicate key; it is already in ${file}, line ${line}`,
    suggestion: undefined,
  };
}
