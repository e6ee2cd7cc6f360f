import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackendExplanation, ServerExplanation } from '../../src/control/explain.ts';
import { eventually } from './eventually.ts';
import { freeAddresses } from './free-port.ts';
import { type Program, startProgram } from './program.ts';

/** A Vane of its own process that shares its registry with others over Redis. */
export interface ClusterNode extends Program {
  /** Its configuration file. */
  readonly file: string;
  readonly frontend: string;
  readonly stats: string;
  readonly registry: string;
  server(backend: string, server: string): Promise<ServerExplanation | undefined>;
}

/** @param sections of the configuration but for `global`, `registry` and `frontends`; its frontend leads to `web` */
export async function startClusterNode(
  name: string,
  redis: number,
  sections: string,
  workers = 0,
): Promise<ClusterNode> {
  const [frontend = '', stats = '', registry = ''] = await freeAddresses(3);
  const folder = mkdtempSync(join(tmpdir(), 'vane-node-'));
  const file = join(folder, 'vane.yaml');
  writeFileSync(
    file,
    `global: { node: ${name}, workers: ${workers}, stats: { bind: "${stats}" }, hard-stop-after: 2s }
registry: { http: "${registry}", dns: off, store: "redis://127.0.0.1:${redis}" }
frontends: { www: { bind: "${frontend}", default_backend: web } }
${sections}`,
  );
  const program = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', file]);
  const dispose = async () => {
    await program[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      const ready = await fetch(`http://${stats}/readyz`).catch(() => undefined);
      if (!ready?.ok) throw new Error(`${name} is not ready: ${program.output()}`);
    }, 40_000);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    ...program,
    file,
    frontend,
    stats,
    registry,
    async server(backend, server) {
      const answer = await fetch(`http://${stats}/explain?backend=${backend}&server=${server}`);
      return answer.ok ? ((await answer.json()) as BackendExplanation).servers[0] : undefined;
    },
    [Symbol.asyncDispose]: dispose,
  };
}
