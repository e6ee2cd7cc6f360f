import { availableParallelism, hostname } from 'node:os';
import { readDefinitions } from '../../api/definitions/read-files.ts';
import { type LoadContext, loadConfig, parseConfig } from '../../config/load.ts';
import type { RuntimeConfig } from '../../config/runtime/config.ts';
import { type Definitions, NO_DEFINITIONS } from '../../registry/sources/definitions.ts';

/** What surrounds a configuration here. */
function surroundings(): LoadContext {
  return { env: process.env, hostname: hostname(), cwd: process.cwd(), cores: availableParallelism() };
}

/** A file, or a folder of files, as this process's surroundings make it. Rejects with ConfigError. */
export function loadFile(path: string): Promise<RuntimeConfig> {
  return loadConfig(path, surroundings());
}

/** The same for a text that is at hand. Throws ConfigError. */
export function parseHere(file: string, text: string): RuntimeConfig {
  return parseConfig([{ file, text }], surroundings());
}

/** What the definition files say that the configuration names. Rejects with ConfigError. */
export async function definitionsHere({ registry }: RuntimeConfig): Promise<Definitions> {
  if (!registry) return NO_DEFINITIONS;
  const { services, scriptChecks } = registry;
  return readDefinitions(services, { cwd: process.cwd(), scriptChecks });
}
