import { availableParallelism, hostname } from 'node:os';
import { readDefinitions } from '../api/definitions/read-files.ts';
import { type LoadContext, loadConfig } from '../config/load.ts';
import type { RuntimeConfig } from '../config/runtime/config.ts';
import { type Definitions, NO_DEFINITIONS } from '../registry/sources/definitions.ts';

/** The configuration as this process's surroundings make it. Rejects with ConfigError. */
export function loadHere(path: string): Promise<RuntimeConfig> {
  const context: LoadContext = {
    env: process.env,
    hostname: hostname(),
    cwd: process.cwd(),
    cores: availableParallelism(),
  };
  return loadConfig(path, context);
}

/** What the definition files say that the configuration names. Rejects with ConfigError. */
export async function definitionsHere({ registry }: RuntimeConfig): Promise<Definitions> {
  if (!registry) return NO_DEFINITIONS;
  const { services, scriptChecks } = registry;
  return readDefinitions(services, { cwd: process.cwd(), scriptChecks });
}
