import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNode } from './drill-cluster.ts';

/** How many services and keys each writer has. */
const EACH = 40;
const PAUSE_MS = 10;

interface Row {
  readonly [field: string]: unknown;
}

/** What was acknowledged. What was not may have happened or not, and is not looked at. */
export class Book {
  /** Ports by id; undefined: it has gone. */
  readonly #services = new Map<string, number | undefined>();
  /** Values by key; undefined: it has gone. */
  readonly #keys = new Map<string, string | undefined>();
  acknowledged = 0;

  /** Registers, deregisters, writes and deletes at one node until told to stop. */
  async write(node: ClusterNode, at: number, signal: AbortSignal): Promise<void> {
    for (let n = 0; !signal.aborted; n++) {
      await this.#service(node, `s-${at}-${n % EACH}`, n % 3 === 0 ? undefined : 1 + (n % 60_000));
      await this.#key(node, `k-${at}-${n % EACH}`, n % 4 === 0 ? undefined : String(n));
      await sleep(PAUSE_MS);
    }
  }

  /** What a node has otherwise. */
  async compare(node: ClusterNode): Promise<readonly string[]> {
    const rows = (await node.ask('/v1/catalog/service/booked')) as readonly Row[];
    const services = new Map(rows.map(({ ServiceID, ServicePort }) => [ServiceID, ServicePort]));
    const pairs = (await node.ask('/v1/kv/k-?recurse').catch(() => [])) as readonly Row[];
    const keys = new Map(pairs.map(({ Key, Value }) => [Key, decoded(Value)]));
    const differ = (name: string, found: unknown, wanted: unknown) =>
      found === wanted ? [] : [`${node.name}: ${name} is ${found}, not ${wanted}`];
    return [
      ...[...this.#services].flatMap(([id, port]) => differ(id, services.get(id), port)),
      ...[...this.#keys].flatMap(([key, value]) => differ(key, keys.get(key), value)),
    ];
  }

  async #service(node: ClusterNode, id: string, port: number | undefined): Promise<void> {
    this.#services.delete(id);
    const service = { ID: id, Name: 'booked', Address: '127.0.0.9', Port: port };
    const answer = await (port === undefined
      ? node.request('PUT', `/v1/agent/service/deregister/${id}`)
      : node.request('PUT', '/v1/agent/service/register', JSON.stringify(service)));
    if (!answer?.ok) return;
    this.#services.set(id, port);
    this.acknowledged++;
  }

  async #key(node: ClusterNode, key: string, value: string | undefined): Promise<void> {
    this.#keys.delete(key);
    const answer = await (value === undefined
      ? node.request('DELETE', `/v1/kv/${key}`)
      : node.request('PUT', `/v1/kv/${key}`, value));
    if (!answer?.ok || answer.text.trim() !== 'true') return;
    this.#keys.set(key, value);
    this.acknowledged++;
  }
}

/** All that a node has, with its indexes, as JSON: nodes that share a registry have the same. */
export async function contents(node: ClusterNode): Promise<string> {
  const names = Object.keys((await node.ask('/v1/catalog/services')) as object).sort();
  const services: unknown[] = [];
  for (const name of names) services.push(await node.ask(`/v1/catalog/service/${name}`));
  const [nodes, checks, sessions, keys] = await Promise.all([
    node.ask('/v1/catalog/nodes'),
    node.ask('/v1/health/state/any'),
    node.ask('/v1/session/list'),
    node.ask('/v1/kv/?recurse').catch(() => []),
  ]);
  return JSON.stringify({ nodes, services, checks, sessions, keys }, undefined, 1);
}

function decoded(value: unknown): string {
  return Buffer.from(String(value ?? ''), 'base64').toString();
}
