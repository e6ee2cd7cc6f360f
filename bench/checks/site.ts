import { parseConfig } from '../../src/config/load.ts';
import type { RuntimeConfig } from '../../src/config/runtime/config.ts';

/** What checks speak. */
export type Kind = 'tcp' | 'httpchk';

const SERVERS_OF_A_BACKEND = 50;

/** An address of its own for each server. */
export function addressOf(server: number): string {
  return `127.9.${Math.floor(server / 250)}.${(server % 250) + 1}`;
}

/** Backends with so many servers in all, each of which is checked as often. */
export function configOf(kind: Kind, servers: number, port: number, interval: string): RuntimeConfig {
  const option = kind === 'tcp' ? '' : 'option: [httpchk GET /health], ';
  const entries = Array.from(
    { length: servers },
    (_, i) => `{ address: "${addressOf(i)}:${port}", check: inter ${interval} }`,
  );
  const backends = Array.from({ length: Math.ceil(servers / SERVERS_OF_A_BACKEND) }, (_, i) => {
    const own = entries.slice(i * SERVERS_OF_A_BACKEND, (i + 1) * SERVERS_OF_A_BACKEND);
    return `  b${i}: { ${option}servers: [${own.join(', ')}] }\n`;
  });
  const text = `
global: { node: lb-1, stats: { bind: "127.0.0.1:0" } }
registry: off
frontends: { www: { bind: "127.0.0.1:0", default_backend: b0 } }
backends:
${backends.join('')}`;
  return parseConfig([{ file: 'vane.yaml', text }], { env: {}, hostname: 'lb-1', cwd: '/' });
}
