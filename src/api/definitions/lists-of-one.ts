import type { Tree } from '../../config/tree.ts';
import type { Field } from '../consul/decode.ts';
import { means } from './shapes.ts';

export type Shape = Field<unknown> | undefined;

/**
 * The tree with a list of one mapping replaced by that mapping wherever `shape` expects one: Consul takes both, and its
 * documentation writes `"service": [{ … }]` and `"meta": [{ … }]` in places.
 */
export function withoutListsOfOne(tree: Tree, shape: Shape): Tree {
  if (shape === undefined || tree.kind === 'scalar') return tree;
  if (tree.kind === 'list') {
    const [only] = tree.items;
    if (isMapping(shape) && only?.kind === 'map' && tree.items.length === 1) {
      return withoutListsOfOne(only, shape);
    }
    if (!isList(shape)) return tree;
    return { ...tree, items: tree.items.map((item) => withoutListsOfOne(item, shape.item)) };
  }
  const entries = [...tree.entries].map(([key, { keyPlace, value }]) => {
    return [key, { keyPlace, value: withoutListsOfOne(value, shapeAt(key, shape)) }] as const;
  });
  return { ...tree, entries: new Map(entries) };
}

/** What is expected under a key of a mapping. */
export function shapeAt(key: string, around: Shape): Shape {
  if (!around?.fields) return isMapping(around) ? around?.item : undefined;
  return Object.entries(around.fields).find(([name]) => means(key, name))?.[1];
}

export function isList(shape: Shape): boolean {
  return shape?.item !== undefined && !isMapping(shape);
}

function isMapping(shape: Shape): boolean {
  return shape !== undefined && (shape.fields !== undefined || shape.type.startsWith('map'));
}
