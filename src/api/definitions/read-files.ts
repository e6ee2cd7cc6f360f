import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { ConfigError, type Problem } from '../../config/problem.ts';
import { readYaml } from '../../config/yaml.ts';
import { messageOf } from '../../core/errors.ts';
import type { CatalogReader } from '../../registry/reader.ts';
import { type Definitions, homeless } from '../../registry/sources/definitions.ts';
import type { ScriptChecks } from '../consul/check-request.ts';
import { readHcl } from './hcl-tree.ts';
import { withoutListsOfOne } from './lists-of-one.ts';
import { DefinitionReader } from './read-tree.ts';
import { FILE } from './shapes.ts';

export interface DefinitionFilesOptions {
  /** Absolute: what relative paths start from. */
  readonly cwd: string;
  /** With `off`, a check that runs a program is a problem. */
  readonly scriptChecks: ScriptChecks;
}

const HCL = '.hcl';
const READ = new Set(['.json', '.yaml', '.yml', HCL]);

/** Far more than anybody writes by hand, bytes. */
const LARGEST_FILE = 16 * 1024 * 1024;

/**
 * Reads Consul's service and check definitions (https://developer.hashicorp.com/consul/docs/services/configuration)
 * from files, and from the `*.json`, `*.hcl`, `*.yaml` and `*.yml` of folders in the order of their names; names that
 * begin with a dot are left out. Rejects with a {@link ConfigError} that tells everything that is wrong.
 */
export async function readDefinitions(
  paths: readonly string[],
  { cwd, scriptChecks }: DefinitionFilesOptions,
): Promise<Definitions> {
  const problems: Problem[] = [];
  const reader = new DefinitionReader({ scriptChecks });
  for (const path of paths) {
    for (const file of await filesAt(path, cwd, problems)) {
      const text = await textOf(file, cwd, problems);
      if (text === undefined) continue;
      // YAML takes all JSON there is, so both are read alike.
      const parsed = extname(file) === HCL ? readHcl(file, text, FILE) : readYaml(file, text);
      problems.push(...parsed.problems);
      if (parsed.tree) reader.read(withoutListsOfOne(parsed.tree, FILE));
    }
  }
  problems.push(...reader.problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return reader.definitions;
}

/** Throws {@link ConfigError} for checks of services that there are not. */
export function requireHomes(definitions: Definitions, catalog: CatalogReader): void {
  const problems = homeless(definitions, catalog).map(({ file, check, at }): Problem => {
    const message = `there is no service ${JSON.stringify(check.serviceId)}, neither defined nor registered`;
    return { file, ...at, message, suggestion: undefined };
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

async function filesAt(path: string, cwd: string, problems: Problem[]): Promise<readonly string[]> {
  try {
    const at = resolve(cwd, path);
    if (!(await stat(at)).isDirectory()) return [path];
    const names = (await readdir(at)).filter((name) => !name.startsWith('.')).sort();
    return names.filter((name) => isDefinition(name)).map((name) => join(path, name));
  } catch (error) {
    problems.push(wholeFile(path, `cannot be read: ${messageOf(error)}`));
    return [];
  }
}

/** Files of other kinds may lie beside definitions. */
function isDefinition(name: string): boolean {
  return READ.has(extname(name));
}

async function textOf(file: string, cwd: string, problems: Problem[]): Promise<string | undefined> {
  if (!isDefinition(file)) {
    problems.push(wholeFile(file, 'expected a file whose name ends with .json, .hcl, .yaml or .yml'));
    return undefined;
  }
  try {
    const at = resolve(cwd, file);
    const { size } = await stat(at);
    if (size > LARGEST_FILE) throw new Error(`larger than ${LARGEST_FILE} bytes`);
    return await readFile(at, 'utf8');
  } catch (error) {
    problems.push(wholeFile(file, `cannot be read: ${messageOf(error)}`));
    return undefined;
  }
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, path: '', message, suggestion: undefined };
}
