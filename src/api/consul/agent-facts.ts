import { statfs } from 'node:fs/promises';
import { cpus, freemem, hostname, platform, release, totalmem, uptime } from 'node:os';
import { type Answer, json } from './answer.ts';
import type { ApiContext } from './context.ts';
import { Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import { type Call, get, type Route } from './route.ts';

/** What the agent tells of itself and its machine: https://developer.hashicorp.com/consul/api-docs/agent */
export function agentFactRoutes(api: ApiContext): readonly Route[] {
  return [
    get('/v1/agent/metrics', (call) => metrics(api, call)),
    get('/v1/agent/host', (call) => host(api, call)),
  ];
}

/** The few that mean the same here; the whole of Vane's metrics are on the stats address, for Prometheus too. */
function metrics(api: ApiContext, call: Call): Answer {
  demand(call.rights.reads);
  if (call.query.get('format') === 'prometheus') {
    throw new Refusal(415, 'Prometheus is not enabled since its retention time is not positive');
  }
  const { catalog } = api.registry;
  const services = catalog.services().value;
  const { heapUsed, rss } = process.memoryUsage();
  const datacenter = { datacenter: catalog.datacenter };
  return json({
    // Go's way to print a time.
    Timestamp: new Date(api.clock.wall()).toISOString().replace('T', ' ').replace(/\..*/, ' +0000 UTC'),
    Gauges: [
      gauge('consul.runtime.alloc_bytes', heapUsed),
      gauge('consul.runtime.sys_bytes', rss),
      gauge('consul.state.nodes', catalog.nodes().value.length, datacenter),
      gauge('consul.state.services', services.size, datacenter),
    ],
    Points: [],
    Counters: [],
    Samples: [],
  });
}

function gauge(name: string, value: number, labels: Readonly<Record<string, string>> = {}): object {
  return { Name: name, Value: value, Labels: labels };
}

/** Named as gopsutil names them, whose structures Consul passes on. */
async function host(api: ApiContext, call: Call): Promise<Answer> {
  demand(call.rights.admin);
  const seconds = Math.round(uptime());
  const now = api.clock.wall();
  return json({
    Memory: memory(),
    CPU: cpus().map(({ model, speed }, cpu) => ({
      ...{ cpu, vendorId: '', family: '', model: '', stepping: 0, physicalId: '', coreId: '', cores: 1 },
      ...{ modelName: model, mhz: speed, cacheSize: 0, flags: [], microcode: '' },
    })),
    Host: {
      ...{ hostname: hostname(), uptime: seconds, bootTime: Math.round(now / 1000) - seconds, procs: 0 },
      ...{ os: platform(), platform: '', platformFamily: '', platformVersion: '', kernelVersion: release() },
      ...{ virtualizationSystem: '', virtualizationRole: '', hostid: '' },
    },
    Disk: await disk('/'),
    CollectionTime: now * 1e6,
    Errors: null,
  });
}

function memory(): object {
  const [total, free] = [totalmem(), freemem()];
  return { total, available: free, used: total - free, usedPercent: percent(total - free, total), free };
}

async function disk(path: string): Promise<object> {
  const { bsize, blocks, bfree, files, ffree } = await statfs(path);
  return {
    ...{ path, fstype: '', total: blocks * bsize, free: bfree * bsize, used: (blocks - bfree) * bsize },
    usedPercent: percent(blocks - bfree, blocks),
    ...{ inodesTotal: files, inodesUsed: files - ffree, inodesFree: ffree },
    inodesUsedPercent: percent(files - ffree, files),
  };
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}
