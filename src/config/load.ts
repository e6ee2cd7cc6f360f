import { readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { mergeTrees } from './merge.ts';
import { ConfigError, type Problem, wholeFile } from './problem.ts';
import { resolveConfig } from './resolve.ts';
import type { RuntimeConfig } from './runtime/config.ts';
import { keysAt, locate, type MapNode } from './tree.ts';
import { validate } from './validate.ts';
import { readYaml } from './yaml.ts';

/** What surrounds a configuration file. */
export interface LoadContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Name of this node where the file gives none. */
  readonly hostname: string;
  /** Absolute: what relative paths, `path` included, start from. */
  readonly cwd: string;
  /** Processes that this machine runs at once; 1 where it does not matter. */
  readonly cores?: number;
}

/** One file as read from disk. */
export interface ConfigSource {
  readonly file: string;
  readonly text: string;
}

/**
 * Reads a file, or every `*.yaml` and `*.yml` of a folder in the order of their names as one; names that begin with a
 * dot are left out. Rejects with a {@link ConfigError} that tells everything that is wrong.
 */
export async function loadConfig(path: string, context: LoadContext): Promise<RuntimeConfig> {
  return parseConfig(await readSources(path, context.cwd), context);
}

/** The same for files read already. Throws {@link ConfigError}. */
export function parseConfig(sources: readonly ConfigSource[], context: LoadContext): RuntimeConfig {
  const { tree, problems } = mergeTrees(readTrees(sources, context));
  if (!tree)
    throw new ConfigError(sources.slice(0, 1).map(({ file }) => wholeFile(file, 'the file is empty')));
  const valid = validate(tree);
  const all = [...problems, ...valid.problems];
  const config =
    valid.user &&
    resolveConfig(valid.user, {
      hostname: context.hostname,
      cwd: context.cwd,
      cores: context.cores ?? 1,
      readFile: (file) => readSecret(resolve(context.cwd, file)),
      keys: (path) => keysAt(valid.tree, path),
      report: (finding) => all.push(locate(valid.tree, finding)),
    });
  if (!config || all.length > 0) throw new ConfigError(all);
  return config;
}

/** Empty files are left out. A file that is not YAML ends it: what the others say cannot be judged alone. */
function readTrees(sources: readonly ConfigSource[], { env, cwd }: LoadContext): readonly MapNode[] {
  const variables = { env, secret: (path: string) => readSecret(resolve(cwd, path)) };
  const trees: MapNode[] = [];
  const problems: Problem[] = [];
  for (const { file, text } of sources) {
    const yaml = readYaml(file, text, variables);
    problems.push(...yaml.problems);
    if (yaml.tree?.kind === 'map') trees.push(yaml.tree);
    else if (yaml.tree && !(yaml.tree.kind === 'scalar' && yaml.tree.value === null)) {
      problems.push({
        ...yaml.tree.place,
        path: '',
        message: 'expected a mapping with sections such as frontends and backends',
        suggestion: undefined,
      });
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return trees;
}

async function readSources(path: string, cwd: string): Promise<readonly ConfigSource[]> {
  try {
    const at = resolve(cwd, path);
    if (!(await stat(at)).isDirectory()) return [{ file: path, text: await readFile(at, 'utf8') }];
    const names = (await readdir(at)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
    if (names.length === 0) throw new ConfigError([wholeFile(path, 'no *.yaml file is in this folder')]);
    return await Promise.all(
      names.map(async (name) => ({ file: join(path, name), text: await readFile(join(at, name), 'utf8') })),
    );
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([wholeFile(path, `cannot be read: ${messageOf(error)}`)]);
  }
}

/** Larger than any password, key or chain of certificates. */
const LARGEST_SECRET = 64 * 1024;

function readSecret(path: string): string {
  const text = readFileSync(path, 'utf8');
  if (text.length > LARGEST_SECRET) throw new Error('larger than 64 KiB');
  return text.replace(/\r?\n$/, '');
}
