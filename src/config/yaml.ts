import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from 'yaml';
import { messageOf } from '../core/errors.ts';
import { expandVariables, type Variables } from './expand.ts';
import { formatPath, type Path, type Problem } from './problem.ts';
import type { Entry, Place, ScalarNode, Tree } from './tree.ts';

/** One file's YAML: what is in it, or what is wrong with it. An empty file has no tree and no problems. */
export interface YamlFile {
  readonly tree: Tree | undefined;
  readonly problems: readonly Problem[];
}

/** Far above any real configuration; they bound what aliases and nesting can grow to. */
const MOST_NODES = 300_000;
const DEEPEST = 32;

/** Reads YAML 1.2 (one document) and fills in variables, if there are any to be filled in. Never throws. */
export function readYaml(file: string, text: string, variables?: Variables): YamlFile {
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      logLevel: 'error',
      version: '1.2',
      schema: 'core',
      resolveKnownTags: false,
      stringKeys: true,
      // Checked here, where the path is known.
      uniqueKeys: false,
    });
  } catch (error) {
    const message = `cannot be read as YAML: ${messageOf(error)}`;
    return {
      tree: undefined,
      problems: [{ file, line: 1, column: 1, path: '', message, suggestion: undefined }],
    };
  }
  const reader = new Reader(file, text, lines, document, variables);
  const faults = [...document.errors, ...document.warnings];
  for (const { message, pos } of faults) reader.report(pos[0], [], message);
  // After a syntax error the rest is guesswork.
  const tree = faults.length === 0 && document.contents ? reader.read(document.contents, []) : undefined;
  return { tree: reader.problems.length === 0 ? tree : undefined, problems: reader.problems };
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #document: Document.Parsed;
  readonly #variables: Variables | undefined;
  /** Collections being read, to notice an alias inside what it stands for. */
  readonly #open = new Set<Node>();
  /** Finding what an alias stands for means searching the document. */
  readonly #targets = new Map<Alias, Node>();
  #nodes = 0;

  constructor(
    file: string,
    text: string,
    lines: LineCounter,
    document: Document.Parsed,
    variables: Variables | undefined,
  ) {
    this.#file = file;
    this.#text = text;
    this.#lines = lines;
    this.#document = document;
    this.#variables = variables;
  }

  report(offset: number, path: Path, message: string): void {
    const place = this.#place(offset);
    this.problems.push({ ...place, path: formatPath(path), message, suggestion: undefined });
  }

  /** Undefined when the node cannot be used; the reason is then among the problems. */
  read(node: Node, path: Path): Tree | undefined {
    const offset = node.range?.[0] ?? 0;
    if (++this.#nodes > MOST_NODES) {
      if (this.#nodes === MOST_NODES + 1)
        this.report(offset, path, 'too much: aliases repeat too many values');
      return undefined;
    }
    if (path.length > DEEPEST) {
      this.report(offset, path.slice(0, DEEPEST), `nested deeper than ${DEEPEST} levels`);
      return undefined;
    }
    if (isAlias(node)) return this.#readAlias(node, path);
    if (isScalar(node)) return this.#readScalar(node, path);
    this.#open.add(node);
    const tree = isMap(node) ? this.#readMap(node.items, path, offset) : this.#readList(node, path, offset);
    this.#open.delete(node);
    return tree;
  }

  #readAlias(alias: Alias, path: Path): Tree | undefined {
    const offset = alias.range?.[0] ?? 0;
    const node = this.#targets.get(alias) ?? alias.resolve(this.#document);
    if (node) this.#targets.set(alias, node);
    if (node && !this.#open.has(node)) return this.read(node, path);
    const { source } = alias;
    const message = node
      ? `*${source} stands inside the value it refers to`
      : `no &${source} comes before *${source}`;
    this.report(offset, path, message);
    return undefined;
  }

  #readMap(pairs: readonly Pair[], path: Path, offset: number): Tree {
    const entries = new Map<string, Entry>();
    for (const { key, value } of pairs) {
      // The parser has refused every other kind of key already.
      if (!isScalar(key)) continue;
      const name = String(key.value);
      const keyOffset = key.range?.[0] ?? offset;
      const keyPlace = this.#place(keyOffset);
      const earlier = entries.get(name);
      if (name === '__proto__') this.report(keyOffset, [...path, name], 'this key is not allowed');
      else if (earlier) {
        this.report(
          keyOffset,
          [...path, name],
          `duplicate key; it is already on line ${earlier.keyPlace.line}`,
        );
      } else {
        const tree = this.#readValue(value, [...path, name], keyOffset);
        if (tree) entries.set(name, { keyPlace, value: tree });
      }
    }
    return { kind: 'map', path, place: this.#place(offset), entries, pruned: new Set() };
  }

  #readList(node: Node, path: Path, offset: number): Tree {
    const items = isSeq(node) ? node.items : [];
    return {
      kind: 'list',
      path,
      place: this.#place(offset),
      items: items.flatMap((item, i) => this.#readValue(item, [...path, i], offset) ?? []),
    };
  }

  /** A key without a value has no node of its own in flow mappings: `{ a, b: }`. */
  #readValue(value: unknown, path: Path, nearOffset: number): Tree | undefined {
    if (isAlias(value) || isScalar(value) || isMap(value) || isSeq(value)) return this.read(value, path);
    return { kind: 'scalar', path, place: this.#place(nearOffset), value: null, columns: undefined };
  }

  #readScalar(node: Scalar, path: Path): ScalarNode {
    const [start, end] = node.range ?? [0, 0];
    const place = this.#place(start);
    const { value } = node;
    if (typeof value === 'number' || typeof value === 'boolean') {
      return { kind: 'scalar', path, place, value, columns: undefined };
    }
    if (typeof value !== 'string') return { kind: 'scalar', path, place, value: null, columns: undefined };

    const columns = columnsOf(this.#text.slice(start, end), value);
    const at = (offset: number) => start + (columns?.[offset] ?? 0);
    if (!this.#variables) return { kind: 'scalar', path, place, value, columns };
    const { text, origins } = expandVariables(value, this.#variables, (i, message) =>
      this.report(at(i), path, message),
    );
    return {
      kind: 'scalar',
      path,
      place,
      // `maxconn: ${MAXCONN}` is a number where the same text in the file would be one.
      value: node.type === 'PLAIN' && text !== value ? plainValue(text) : text,
      columns: columns && origins.map((origin) => columns[origin] ?? 0),
    };
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** Where each character of a value stands in its source, if the source is the value itself, quoted or not. */
function columnsOf(source: string, value: string): readonly number[] | undefined {
  if (source === value) return Array.from({ length: value.length }, (_, i) => i);
  const quoted = /^(['"])(.*)\1$/.exec(source);
  return quoted?.[2] === value ? Array.from({ length: value.length }, (_, i) => i + 1) : undefined;
}

function plainValue(text: string): string | number | boolean {
  if (/^[-+]?\d+$/.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}
