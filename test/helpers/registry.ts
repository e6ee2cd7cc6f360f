import type { Log } from '../../src/core/log.ts';
import { Registry, type RegistryOptions } from '../../src/registry/registry.ts';
import { createMemoryStore } from '../../src/registry/stores/memory.ts';
import { FakeClock } from './fake-clock.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A log that can be read back. */
export function recordedLog(): { readonly log: Log; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (fields: object, message: string) => {
    lines.push({ level, message, fields: { ...fields } });
  };
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines };
}

/** A registry of node `lb-1` that has started; its time moves when told. The lines of the start are dropped. */
export async function startedRegistry(options: Partial<RegistryOptions> = {}) {
  const clock = new FakeClock();
  const { log, lines } = recordedLog();
  const store = options.store ?? createMemoryStore();
  const node = { name: 'lb-1', address: '10.0.0.1', datacenter: 'dc1', meta: {} };
  const registry = new Registry({ clock, log, node, random: () => 0.5, ...options, store });
  await registry.start();
  lines.splice(0);
  return { registry, catalog: registry.catalog, clock, store, lines };
}
