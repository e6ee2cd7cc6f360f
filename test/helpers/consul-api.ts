import { type ConsulApi, type ConsulApiOptions, createConsulApi } from '../../src/api/consul/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { LocalChecks } from '../../src/health/local-checks.ts';
import { Registry } from '../../src/registry/registry.ts';
import { createMemoryStore } from '../../src/registry/stores/memory.ts';

/** One answer of the API; `json` is undefined where the body is none. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/** The API over a real registry in memory, whose checks run. */
export interface ConsulApiUnderTest {
  readonly api: ConsulApi;
  readonly registry: Registry;
  readonly base: string;
  /** A body that is not a string is sent as JSON. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer>;
  close(): Promise<void>;
}

/** Starts everything on a free loopback port; what `options` leaves out is the default. */
export async function startConsulApi(options: Partial<ConsulApiOptions> = {}): Promise<ConsulApiUnderTest> {
  const clock = systemClock;
  const registry = new Registry({
    store: createMemoryStore(),
    clock,
    log: silentLog,
    node: { name: 'lb-1', address: '127.0.0.1', datacenter: 'dc1', meta: {} },
  });
  await registry.start();
  const scriptChecks = options.scriptChecks ?? 'files';
  const checks = new LocalChecks({ registry, scriptChecks });
  await checks.start();
  const api = createConsulApi({
    registry,
    checks,
    scriptChecks,
    bind: { host: '127.0.0.1', port: 0 },
    access: { anonymous: 'admin', grants: [], allowedHosts: undefined },
    clock,
    log: silentLog,
    version: '1.9.8',
    ...options,
  });
  const stopAll = async () => {
    for (const part of [api, checks, registry]) await part.stop(clock.now() + 5_000);
  };
  try {
    await api.start();
  } catch (error) {
    await stopAll();
    throw error;
  }
  const base = `http://127.0.0.1:${api.port}`;
  return {
    api,
    registry,
    base,
    call: (method, path, body, headers = {}) => call(base + path, method, body, headers),
    close: stopAll,
  };
}

async function call(
  url: string,
  method: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<ApiAnswer> {
  const payload = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(url, { method, headers, body: payload, redirect: 'manual' });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type') === 'application/json';
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}
