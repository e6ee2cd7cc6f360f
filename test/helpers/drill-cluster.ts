import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { portOf, type Registry, registryAt } from './drill-vane.ts';
import { eventually } from './eventually.ts';
import { freeAddresses } from './free-port.ts';
import { type Program, startProgram } from './program.ts';

/** One `vane run` of several that share a registry. It keeps its addresses when it is started again. */
export class ClusterNode {
  readonly name: string;
  readonly file: string;
  /** Requests to `web.service.consul`. */
  readonly port: number;
  /** Requests to `probe.service.consul`. */
  readonly probePort: number;
  readonly stats: string;
  readonly http: string;
  readonly registry: Registry;
  readonly #folder = mkdtempSync(join(tmpdir(), 'vane-cluster-'));
  #program: Program | undefined;

  private constructor(name: string, addresses: readonly string[], store: string, lease: string) {
    const [frontend = '', probe = '', stats = '', http = '', dns = ''] = addresses;
    this.name = name;
    this.port = portOf(frontend);
    this.probePort = portOf(probe);
    this.stats = stats;
    this.http = http;
    this.registry = registryAt(http, () => this.output());
    this.file = join(this.#folder, 'vane.yaml');
    writeFileSync(
      this.file,
      `
global: { node: ${name}, workers: 0, log: { level: warn }, data-dir: ${this.#folder}, stats: { bind: "${stats}" }, hard-stop-after: 2s }
registry: { http: "${http}", dns: "${dns}", ${store.replace('LEASE', lease)} }
frontends:
  www: { bind: "${frontend}", default_backend: web }
  probe: { bind: "${probe}", default_backend: probe }
backends:
  web: { servers: [{ domain: web.service.consul, drain: 1s }] }
  probe: { servers: [{ domain: probe.service.consul, drain: 1s }] }
`,
    );
  }

  /**
   * Ready when it resolves.
   * @param store what its configuration says of the registry: {@link atPort} or {@link behindSentinels}
   */
  static async start(name: string, store: string, lease: string): Promise<ClusterNode> {
    const node = new ClusterNode(name, await freeAddresses(5), store, lease);
    await node.start();
    return node;
  }

  get pid(): number {
    return this.#program?.pid ?? -1;
  }

  output(): string {
    return this.#program?.output() ?? '';
  }

  async start(): Promise<void> {
    this.#program = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', this.file]);
    await eventually(async () => {
      const ready = await fetch(`http://${this.stats}/readyz`).catch(() => undefined);
      if (!ready?.ok) throw new Error(`${this.name} is not ready: ${this.output()}`);
    }, 30_000);
  }

  signal(name: NodeJS.Signals): void {
    this.#program?.signal(name);
  }

  get ended(): Promise<unknown> {
    return this.#program?.ended ?? Promise.resolve();
  }

  async kill(): Promise<void> {
    this.registry.hangUp();
    await this.#program?.[Symbol.asyncDispose]();
  }

  /** JSON of its registry API. */
  async ask(path: string): Promise<unknown> {
    const answer = await fetch(`http://${this.http}${path}`, { signal: AbortSignal.timeout(5_000) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Asks its registry API; resolves to undefined where no answer came, so that nobody knows what has become of it. */
  async request(
    method: string,
    path: string,
    body?: string,
  ): Promise<{ readonly ok: boolean; readonly text: string } | undefined> {
    try {
      const signal = AbortSignal.timeout(10_000);
      const answer = await fetch(`http://${this.http}${path}`, { method, signal, ...(body ? { body } : {}) });
      return { ok: answer.ok, text: await answer.text() };
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** One Redis, at a port of this machine. */
export function atPort(port: number): string {
  return `store: "redis://127.0.0.1:${port}", redis: { lease: LEASE }`;
}

/** The master that Sentinels at these ports know of. */
export function behindSentinels(ports: readonly number[]): string {
  const servers = ports.map((port) => `"127.0.0.1:${port}"`).join(', ');
  return `store: redis, redis: { mode: sentinel, servers: [${servers}], master: mymaster, lease: LEASE }`;
}

/** All nodes are there and know it, and none is behind. */
export function healed(nodes: readonly ClusterNode[], withinMs: number): Promise<void> {
  return eventually(async () => {
    for (const { stats } of nodes) {
      const answer = await fetch(`http://${stats}/cluster`, { signal: AbortSignal.timeout(5_000) });
      const { lease, behindMs, unsent } = (await answer.json()) as Record<string, unknown>;
      if (lease !== 'held' || behindMs !== 0 || unsent !== 0)
        throw new Error(`lease ${lease}, behind by ${behindMs} ms, ${unsent} not sent`);
    }
  }, withinMs);
}

/** Numbers in [0, 1) that come in the same order each time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
