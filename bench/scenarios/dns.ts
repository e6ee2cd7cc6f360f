import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Target } from '../bench.ts';
import { type DnsLoad, dnsperfCommand, dnsperfResult } from '../load/dnsperf.ts';
import { hasProgram } from '../machine.ts';
import { DNS_NAME } from '../peers/peer.ts';
import { usageOf } from '../proc.ts';
import { untilAnswers } from '../sockets.ts';
import { CHANGES_PER_SECOND, STAYING } from './changes.ts';
import type { Sample, Scenario } from './scenario.ts';
import { MARGIN_MS, runProgram } from './under-load.ts';

const PEERS = ['vane', 'dnsmasq', 'naive-dns'];
const INSTANCES = 3;
const READY_LIMIT_MS = 15_000;

export const dns = scenarioOf({ type: 'A' }, INSTANCES, {
  name: 'dns',
  title: 'DNS',
  how: 'A of a service with 3 instances over UDP, up to 100 questions under way; each answer has all three, in an order of its own.',
});

export const dnsSrv = scenarioOf({ type: 'SRV' }, INSTANCES, {
  name: 'dns-srv',
  title: 'DNS, SRV',
  how: 'The same for SRV, with the addresses beside the answers.',
});

export const dnsChanges = scenarioOf({ type: 'A' }, undefined, {
  name: 'dns-changes',
  title: 'DNS during 100 changes a second',
  how: 'A of a service with 50 instances, of which 30 come and go in Vane, 100 changes a second. With the others nothing changes.',
});

/** @param instances all there are, with changes, where it is undefined */
function scenarioOf(
  asked: DnsLoad,
  instances: number | undefined,
  of: Pick<Scenario, 'name' | 'title' | 'how'>,
): Scenario {
  return {
    compared: 'perCpuSecond',
    peers: PEERS,
    quickPeers: PEERS,
    task: ({ fast }) => ({ mode: 'dns', servers: fast.slice(0, instances) }),
    ready: async (target, bench) => {
      if (!hasProgram('dnsperf')) throw new Error('dnsperf is missing: bash bench/install-peers.sh');
      if (target.control) await register(target, bench, bench.origin.fast.slice(0, instances), 0);
      await untilResolves(target);
    },
    load: async (target, bench, seconds) => {
      const changing = instances === undefined && target.control !== undefined;
      const changes = changing ? register(target, bench, bench.origin.fast.slice(STAYING), seconds) : '0';
      const [sample, made] = await Promise.all([ask(target, bench, seconds, asked), changes]);
      if (changing && Number(made) < 0.9 * CHANGES_PER_SECOND * seconds) {
        throw new Error(`only ${made} changes were made`);
      }
      return sample;
    },
    ...of,
  };
}

async function ask(target: Target, bench: Bench, seconds: number, load: DnsLoad): Promise<Sample> {
  const command = dnsperfCommand(load, target.port, seconds, bench.folder);
  const before = usageOf(target.running.pid);
  const output = await bench.processes.run(
    { ...command, cores: bench.cores.load },
    seconds * 1000 + MARGIN_MS,
  );
  const after = usageOf(target.running.pid);
  const result = dnsperfResult(output);
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    perSecond: result.done / result.seconds,
    ...(cpuSeconds > 0 ? { perCpuSecond: result.done / cpuSeconds } : {}),
    cpuShare: cpuSeconds / result.seconds,
    rssBytes: after.rssBytes,
    errors: result.errors,
  };
}

/** 0 seconds: registers all of them, once. Otherwise they come and go. Answers with how many changes were made. */
async function register(
  { control, running }: Target,
  bench: Bench,
  servers: readonly string[],
  seconds: number,
): Promise<string> {
  if (control?.kind !== 'registry') throw new Error('only a registry can be told of instances');
  await untilAnswers(control.port, running, { path: '/v1/status/leader' });
  return runProgram(
    bench,
    'changes.ts',
    ['registry', control.port, CHANGES_PER_SECOND, seconds, ...servers],
    seconds,
  );
}

async function untilResolves({ port, running }: Target): Promise<void> {
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  const limit = performance.now() + READY_LIMIT_MS;
  for (;;) {
    const addresses = await resolver.resolve4(DNS_NAME).catch(() => []);
    if (addresses.length >= INSTANCES) return;
    if (running.hasEnded()) throw new Error(`it ended: ${running.said()}`);
    if (performance.now() > limit) throw new Error(`no answer: ${running.said()}`);
    await sleep(50);
  }
}
