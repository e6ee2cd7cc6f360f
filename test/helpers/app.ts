import { App } from '../../src/app.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { AccessEntry } from '../../src/proxy/access-entry.ts';
import { type LogLine, recordedLog } from './registry.ts';

/** The whole of Vane in the test's own process, on ports that the system chose. */
export interface AppUnderTest {
  readonly app: App;
  readonly lines: readonly LogLine[];
  readonly access: readonly AccessEntry[];
  /** `http://127.0.0.1:PORT` of a frontend, which has one address. */
  frontend(name: string): string;
  readonly stats: string;
  readonly registry: string;
  register(service: object): Promise<void>;
  deregister(id: string): Promise<void>;
  /** Takes another configuration; see {@link startApp}. */
  reload(text: string): ReturnType<App['reload']>;
  /** The messages that were logged about servers and backends, in order. */
  events(): readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

const GLOBAL = 'node: lb-1, stats: { bind: "127.0.0.1:0" }, hard-stop-after: 2s, close-spread-time: 20ms';
const registryAt = (port: number) => `registry: { http: "127.0.0.1:${port}", dns: "127.0.0.1:0" }`;

/**
 * @param text the sections of a configuration but for `global` and `registry`, which are the test's
 * @param dataDir where the registry keeps its file; without it, it has none
 * @param port of the registry's API; 0: any
 */
export async function startApp(text: string, dataDir?: string, port = 0): Promise<AppUnderTest> {
  const global = dataDir === undefined ? GLOBAL : `${GLOBAL}, data-dir: ${JSON.stringify(dataDir)}`;
  const read = (sections: string) =>
    parseConfig([{ file: 'vane.yaml', text: `global: { ${global} }\n${registryAt(port)}\n${sections}` }], {
      env: {},
      hostname: 'lb-1',
      cwd: '/',
    });
  const { log, lines } = recordedLog();
  const access: AccessEntry[] = [];
  const app = await App.start(read(text), {
    version: '0.0.0',
    log,
    access: (entry) => access.push(entry),
    accessDropped: () => 0,
  });
  const at = (port: number | undefined) => `http://127.0.0.1:${port}`;
  const registry = at(app.ports.registryHttp);
  return {
    app,
    lines,
    access,
    frontend: (name) => at(app.ports.frontends.find(({ frontend }) => frontend === name)?.port),
    stats: at(app.ports.stats),
    registry,
    register: (service) => put(`${registry}/v1/agent/service/register`, service),
    deregister: (id) => put(`${registry}/v1/agent/service/deregister/${id}`),
    reload: (next) => app.reload(read(next)),
    events: () =>
      lines.map(({ message }) => message).filter((message) => /^(?:server|backend) /.test(message)),
    [Symbol.asyncDispose]: () => app.stop(),
  };
}

async function put(url: string, body?: object): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', body: body === undefined ? null : JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
}
