import { availableParallelism, hostname } from 'node:os';
import { type LoadContext, loadConfig } from '../config/load.ts';
import type { RuntimeConfig } from '../config/runtime.ts';

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
