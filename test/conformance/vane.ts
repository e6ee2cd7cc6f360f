import { App } from '../../src/app.ts';
import { parseConfig } from '../../src/config/load.ts';
import { silentLog } from '../../src/core/log.ts';
import { type Self, selfOf, type Target } from './target.ts';

/** A Vane that is nothing but a registry, set up as the reference was, and what it calls itself. */
export interface RegistryUnderTest {
  readonly target: Target;
  readonly self: Self;
  stop(): Promise<void>;
}

const CONFIG = `
global: { node: lb-1, hard-stop-after: 1s, stats: off }
registry: { http: "127.0.0.1:0", dns: "127.0.0.1:0", script-checks: api }
`;

export async function startVane(): Promise<RegistryUnderTest> {
  const config = parseConfig([{ file: 'vane.yaml', text: CONFIG }], { env: {}, hostname: 'lb-1', cwd: '/' });
  const app: App = await App.start(config, {
    version: '0.0.0',
    log: silentLog,
    access: () => {},
    accessDropped: () => 0,
    process: { reload: async () => void (await app.reload(config)), leave: () => void app.stop() },
  });
  const at = (port = 0) => ({ host: '127.0.0.1', port });
  const target = { http: at(app.ports.registryHttp), dns: at(app.ports.registryDns) };
  return { target, self: await selfOf(target), stop: () => app.stop() };
}

/** Vanes that scenarios borrow, one at a time, so that many scenarios can run at once and none disturbs another. */
export class Vanes {
  readonly #idle: RegistryUnderTest[] = [];
  readonly #all: RegistryUnderTest[] = [];

  async use<T>(work: (vane: RegistryUnderTest) => Promise<T>): Promise<T> {
    const vane = this.#idle.pop() ?? (await this.#start());
    const result = await work(vane);
    this.#idle.push(vane);
    return result;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((vane) => vane.stop()));
  }

  async #start(): Promise<RegistryUnderTest> {
    const vane = await startVane();
    this.#all.push(vane);
    return vane;
  }
}
