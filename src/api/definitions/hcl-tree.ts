import { formatPath, type Path, type Problem } from '../../config/problem.ts';
import type { Entry, ListNode, MapNode, Place, Tree } from '../../config/tree.ts';
import { readYaml, type YamlFile } from '../../config/yaml.ts';
import type { Field } from '../consul/decode.ts';
import { type HclItem, type HclObject, type HclValue, parseHcl } from './hcl-parser.ts';
import { HclSyntaxError } from './hcl-syntax-error.ts';
import { isList, type Shape, shapeAt } from './lists-of-one.ts';

/**
 * One file in HCL as the tree that the same in JSON or YAML gives. Whether a block is a mapping or one of a list is not
 * for the file to say: it is what `shape` expects there, as in Consul. What begins with a brace is JSON, which HCL takes
 * as well. Never throws.
 */
export function readHcl(file: string, text: string, shape: Field<unknown>): YamlFile {
  if (/^\uFEFF?\s*\{/.test(text)) return readYaml(file, text);
  const builder = new Builder(file, text);
  try {
    const parsed = parseHcl(text);
    const tree = parsed.items.length > 0 ? builder.map(parsed, shape, []) : undefined;
    return { tree: builder.problems.length === 0 ? tree : undefined, problems: builder.problems };
  } catch (error) {
    if (!(error instanceof HclSyntaxError)) throw error;
    builder.report(error.at, [], error.message);
    return { tree: undefined, problems: builder.problems };
  }
}

class Builder {
  readonly problems: Problem[] = [];
  readonly #file: string;
  /** The offset at which each line begins. */
  readonly #lines: readonly number[];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#lines = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  }

  report(at: number, path: Path, message: string, suggestion?: string): void {
    this.problems.push({ ...this.#place(at), path: formatPath(path), message, suggestion });
  }

  map(object: HclObject, shape: Shape, path: Path): MapNode {
    const entries = new Map<string, Entry>();
    for (const [key, [first, ...more]] of Map.groupBy(object.items, (item) => item.key)) {
      if (!first) continue;
      const at = [...path, key];
      if (key === '__proto__') this.report(first.at, at, 'this key is not allowed');
      const value = this.#entry(first, more, shape, at);
      entries.set(key, { keyPlace: this.#place(first.at), value });
    }
    return { kind: 'map', path, place: this.#place(object.at), entries, pruned: new Set() };
  }

  /** What all items with one key say together. */
  #entry(first: HclItem, more: readonly HclItem[], around: Shape, path: Path): Tree {
    const shape = shapeAt(first.key, around);
    const blocks = [first, ...more].flatMap(({ value }) => (value.kind === 'object' ? value : []));
    const [second] = more;
    if (!second) return this.#value(first.value, shape, path);
    if (isList(shape) && blocks.length > more.length) return this.#list(blocks, first.value.at, shape, path);
    const earlier = `it is already on line ${this.#place(first.at).line}`;
    const plural = `${first.key}s`;
    const isOneOf = blocks.length > more.length && isList(shapeAt(plural, around));
    this.report(
      second.at,
      path,
      `duplicate key; ${earlier}`,
      isOneOf ? `several blocks are each called ${plural}` : undefined,
    );
    return this.#value(first.value, shape, path);
  }

  #value(value: HclValue, shape: Shape, path: Path): Tree {
    switch (value.kind) {
      case 'object':
        return isList(shape) ? this.#list([value], value.at, shape, path) : this.map(value, shape, path);
      case 'list':
        return this.#list(value.items, value.at, shape, path);
      case 'scalar':
        return {
          kind: 'scalar',
          path,
          place: this.#place(value.at),
          value: value.value,
          columns: undefined,
        };
    }
  }

  #list(values: readonly HclValue[], at: number, shape: Shape, path: Path): ListNode {
    const item = isList(shape) ? shape?.item : undefined;
    const items = values.map((value, i) => this.#value(value, item, [...path, i]));
    return { kind: 'list', path, place: this.#place(at), items };
  }

  #place(at: number): Place {
    let low = 0;
    let high = this.#lines.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#lines[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { file: this.#file, line: low + 1, column: at - (this.#lines[low] ?? 0) + 1 };
  }
}
