import { parseConfig } from '../../src/config/load.ts';
import type { RuntimeConfig } from '../../src/config/runtime/config.ts';

/** Backends that follow names of the registry. */
export interface Site {
  readonly backends: number;
  /** Instances of each service. */
  readonly servers: number;
  /** Whether all follow one service instead of one each. */
  readonly shared?: boolean;
}

export function serviceOf(site: Site, backend: number): string {
  return `service-${site.shared ? 0 : backend}`;
}

export function servicesOf(site: Site): readonly string[] {
  return Array.from({ length: site.shared ? 1 : site.backends }, (_, i) => serviceOf(site, i));
}

/** The address and port of an instance; nobody connects to it. */
export function addressOf(instance: number): { readonly address: string; readonly port: number } {
  return { address: `127.1.${Math.floor(instance / 250)}.${(instance % 250) + 1}`, port: 8080 };
}

/** @param global further keys of `global` */
export function configOf(site: Site, global: string): RuntimeConfig {
  const backends = Array.from(
    { length: site.backends },
    (_, i) => `  b${i}: { servers: [{ domain: ${serviceOf(site, i)}.service.consul, drain: 5s }] }\n`,
  );
  const text = `
global: { node: lb-1, ${global} }
registry: { http: "127.0.0.1:0", store: memory }
frontends: { www: { bind: "127.0.0.1:0", default_backend: b0 } }
backends:
${backends.join('')}`;
  return parseConfig([{ file: 'vane.yaml', text }], { env: {}, hostname: 'lb-1', cwd: '/' });
}
