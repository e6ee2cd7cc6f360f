import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { ExternalChecks } from '../../src/health/external-checks.ts';
import { Slots } from '../../src/health/slots.ts';
import type { CheckDefinition } from '../../src/registry/model.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RegistryStore } from '../../src/registry/store.ts';
import { createMemoryStore } from '../../src/registry/stores/memory.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import { CAUSE, checkRow, nodeRow } from '../helpers/registry-rows.ts';

// Nodes that are only written into the catalog, and are checked by one of those who share it.

const WITHIN_MS = 20_000;
const LEASE_MS = 1_500;

interface Node {
  readonly registry: Registry;
  readonly store: RegistryStore;
}

/** What is checked. */
let target: Server;
const nodes: { readonly registry: Registry; readonly checks: ExternalChecks }[] = [];

beforeEach(async () => {
  target = createServer((socket) => {
    socket.on('error', () => {}).end();
  });
  await listen(0);
});

afterEach(async () => {
  for (const { registry, checks } of nodes.splice(0)) {
    await checks.stop(performance.now() + 1_000);
    await registry.stop(performance.now() + 1_000);
  }
  target.close();
});

async function listen(port: number): Promise<void> {
  target.listen(port, '127.0.0.1');
  await once(target, 'listening');
}

const portOf = () => (target.address() as AddressInfo).port;

async function start(name: string, store: RegistryStore): Promise<Node> {
  const node = { name, address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const registry = new Registry({ store, clock: systemClock, log: silentLog, node });
  const options = { clock: systemClock, log: silentLog, slots: new Slots(10), minInterval: 50 };
  const checks = new ExternalChecks({ ...options, registry });
  await registry.start();
  await checks.start();
  nodes.push({ registry, checks });
  return { registry, store };
}

/** Writes a node with a TCP check of the target into the catalog. */
async function write(
  { registry }: Node,
  name: string,
  meta: Readonly<Record<string, string>>,
): Promise<void> {
  const toldDefinition: CheckDefinition = {
    ...{ kind: { kind: 'tcp', address: `127.0.0.1:${portOf()}` }, interval: 50, timeout: 1_000 },
    ...{ ttl: 0, successBeforePassing: 0, failuresBeforeCritical: 0 },
    ...{ deregisterCriticalServiceAfter: 0, outputMaxSize: 0 },
  };
  const { node: _, ...check } = checkRow(name, 'alive', undefined, { status: 'critical', toldDefinition });
  const node = { ...nodeRow(name, { meta }), skipUpdate: false };
  await registry.catalogRegister({ node, service: undefined, checks: [check] }, CAUSE);
}

function statusAt({ registry }: Node, node = 'outside'): string | undefined {
  return registry.catalog.check(node, 'alive')?.status;
}

const EXTERNAL = { 'external-node': 'true' };

test('a node that is marked as external is checked, and no other', async () => {
  const one = await start('one', createMemoryStore());
  await write(one, 'outside', EXTERNAL);
  await write(one, 'elsewhere', {});
  await eventually(() => expect(statusAt(one)).toBe('passing'), WITHIN_MS);
  expect(statusAt(one, 'elsewhere')).toBe('critical');
  const port = portOf();
  target.close();
  await eventually(() => expect(statusAt(one)).toBe('critical'), WITHIN_MS);
  expect(one.registry.catalog.check('outside', 'alive')?.output).toContain(String(port));
  await listen(port);
  await eventually(() => expect(statusAt(one)).toBe('passing'), WITHIN_MS);
  await one.registry.catalogDeregister({ node: 'outside', serviceId: undefined, checkId: undefined }, CAUSE);
  await write(one, 'outside', {});
  await write(one, 'another', EXTERNAL);
  await eventually(() => expect(statusAt(one, 'another')).toBe('passing'), WITHIN_MS);
  expect(statusAt(one)).toBe('critical');
});

needs('redis-server', 'redis-server').describe('nodes that share a registry', () => {
  test('have external nodes checked by the one that leads, and the next one when that is gone', async () => {
    await using redis = await RedisServer.start();
    const leader = await start('leader', redis.store('vane', LEASE_MS));
    await eventually(() => expect(leader.registry.cluster?.view.leader).toBe('leader'), WITHIN_MS);
    const other = await start('other', redis.store('vane', LEASE_MS));
    await write(other, 'outside', EXTERNAL);
    for (const node of [leader, other]) {
      await eventually(() => expect(statusAt(node)).toBe('passing'), WITHIN_MS);
    }
    // What is found counts only from the one that leads.
    await other.registry.external.report('outside', 'alive', 'critical', 'not mine to say', CAUSE);
    expect(statusAt(leader)).toBe('passing');
    const port = portOf();
    await leader.store.close();
    target.close();
    await eventually(() => expect(statusAt(other)).toBe('critical'), WITHIN_MS);
    await listen(port);
    await eventually(() => expect(statusAt(other)).toBe('passing'), WITHIN_MS);
    for (const { registry, checks } of nodes.splice(0)) {
      await checks.stop(performance.now() + 1_000);
      await registry.stop(performance.now() + 1_000);
    }
  });
});
