import type { RuntimeConfig } from '../../config/runtime/config.ts';
import { systemClock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { loadFile } from './here.ts';
import { isKvAddress, parseKvAddress } from './kv-address.ts';
import { KvConfiguration } from './kv-configuration.ts';

/** Where a running Vane has its configuration from, at the start and at every reload. */
export interface Configuration {
  /** What it is now. Rejects with ConfigError. */
  load(): Promise<RuntimeConfig>;
  /** What was loaded last is in force. */
  taken(log: Log): Promise<void>;
  /** From now on until it is closed `changed` is called whenever there is another to be loaded. */
  follow(log: Log, changed: () => void): void;
  close(): void;
}

/** How long a start waits for a store that is away, ms: both may be starting. */
const PATIENCE_MS = 10_000;

/** For a Vane that runs. Throws ConfigError for what is no address of a key. */
export function openConfiguration(path: string): Configuration {
  if (isKvAddress(path))
    return new KvConfiguration(parseKvAddress(path, process.env), systemClock, PATIENCE_MS);
  return { load: () => loadFile(path), taken: async () => {}, follow: () => {}, close: () => {} };
}

/** What a running Vane has, as far as can be told from here. Rejects with ConfigError. */
export function loadInForce(path: string): Promise<RuntimeConfig> {
  return isKvAddress(path) ? once(path, (configuration) => configuration.load()) : loadFile(path);
}

/** What a reload would take. Rejects with ConfigError. */
export function loadPresent(path: string): Promise<RuntimeConfig> {
  return isKvAddress(path) ? once(path, (configuration) => configuration.loadStrictly()) : loadFile(path);
}

async function once<T>(path: string, use: (configuration: KvConfiguration) => Promise<T>): Promise<T> {
  const configuration = new KvConfiguration(parseKvAddress(path, process.env), systemClock, 0);
  try {
    return await use(configuration);
  } finally {
    configuration.close();
  }
}
