import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonic } from './drill-instances.ts';
import { ask } from './drill-load.ts';
import { eventually } from './eventually.ts';
import { freeAddresses } from './free-port.ts';
import { type Program, startProgram } from './program.ts';

/** Addresses that a configuration may use. */
export interface Places {
  readonly frontend: string;
  readonly other: string;
  readonly stats: string;
  readonly http: string;
  readonly dns: string;
}

/** A change in the registry: when it was sent and when it was acknowledged, as {@link monotonic} tells. */
export interface Change {
  readonly sentAt: number;
  readonly ackAt: number;
}

/** A running Vane with a configuration file of its own. */
export interface Vane extends Program, Registry {
  readonly port: number;
  readonly places: Places;
  /** Replaces its configuration file; a HUP makes it be read. */
  rewrite(config: string): void;
  metrics(): Promise<string>;
}

/** A registry that is reached over HTTP. */
export interface Registry {
  /** Registers `name` as an instance of `service`; without `extra` it has no checks. */
  register(name: string, address: string, extra?: Readonly<Record<string, unknown>>): Promise<Change>;
  deregister(name: string): Promise<Change>;
  /** Has a TTL check turn critical. */
  fail(checkId: string): Promise<Change>;
  /** Closes the connections to it. */
  hangUp(): void;
}

/** Runs `vane run` with a configuration; resolves once it is ready. */
export async function startVane(config: (places: Places) => string): Promise<Vane> {
  const [frontend = '', other = '', stats = '', http = '', dns = ''] = await freeAddresses(5);
  const places = { frontend, other, stats, http, dns };
  const folder = mkdtempSync(join(tmpdir(), 'vane-drill-'));
  const file = join(folder, 'vane.yaml');
  const rewrite = (text: string) => writeFileSync(file, text);
  rewrite(config(places));
  const program = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', file]);
  const registry = registryAt(http, program.output);
  const vane: Vane = {
    ...program,
    ...registry,
    port: portOf(frontend),
    places,
    rewrite,
    metrics: () => metricsAt(stats),
    async [Symbol.asyncDispose]() {
      registry.hangUp();
      await program[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await eventually(async () => {
    const ready = await fetch(`http://${stats}/readyz`).catch(() => undefined);
    if (!ready?.ok) throw new Error(`Vane is not ready: ${program.output()}`);
  }, 20_000);
  return vane;
}

/** @param explain what to say when a change could not be made */
export function registryAt(address: string, explain = () => ''): Registry {
  const agent = new Agent({ keepAlive: true });
  const put = (path: string, body: unknown) =>
    change(agent, address, path, body).catch((error: Error) => {
      throw new Error(`${path}: ${error.message}\n${explain()}`);
    });
  return {
    register: (name, at, extra = {}) => {
      const [host, port] = at.split(':');
      const service = { ID: name, Name: 'web', Address: host, Port: Number(port), ...extra };
      return put('/v1/agent/service/register', service);
    },
    deregister: (name) => put(`/v1/agent/service/deregister/${encodeURIComponent(name)}`, undefined),
    fail: (checkId) => put(`/v1/agent/check/fail/${encodeURIComponent(checkId)}`, undefined),
    hangUp: () => agent.destroy(),
  };
}

/** Waits until requests are answered by exactly these instances. */
export async function answeredBy(port: number, names: readonly string[], withinMs = 10_000): Promise<void> {
  const wanted = [...names].sort().join(' ');
  await eventually(async () => {
    const found = new Set<string>();
    for (let i = 0; i < names.length * 2; i++) {
      const { instance, problem } = await ask(port, '/fast');
      found.add(instance ?? problem ?? '');
    }
    const answered = [...found].sort().join(' ');
    if (answered !== wanted) throw new Error(`answered by ${answered}, wanted: ${wanted}`);
  }, withinMs);
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

export async function metricsAt(stats: string): Promise<string> {
  const response = await fetch(`http://${stats}/metrics`, { headers: { connection: 'close' } });
  if (!response.ok) throw new Error(`metrics: ${response.status} ${await response.text()}`);
  return response.text();
}

/** The sum of all series of one metric whose labels contain `labels`. */
export function metricOf(text: string, name: string, labels = ''): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(name) || !/[{ ]/.test(line[name.length] ?? '') || !line.includes(labels)) continue;
    sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}

function change(agent: Agent, address: string, path: string, body: unknown): Promise<Change> {
  const sentAt = monotonic();
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(':');
    const outgoing = request({ host, port, method: 'PUT', path, agent }, (answer) => {
      const ackAt = monotonic();
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('error', reject);
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve({ sentAt, ackAt });
        else reject(new Error(`${answer.statusCode} ${text}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
