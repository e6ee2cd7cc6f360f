import type { Bench, Target } from '../bench.ts';
import type { Origin } from '../origin.ts';
import type { Task } from '../peers/peer.ts';

/** What one load on one peer has shown. */
export interface Sample {
  readonly perSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Requests (or messages) for each second of CPU time of the proxy. */
  readonly perCpuSecond?: number;
  /** Of one core, 0 to 1. Far below 1: the load or the origin was at its end, not the proxy. */
  readonly cpuShare?: number;
  readonly rssBytes?: number;
  readonly errors?: number;
  readonly bytesPerConnection?: number;
  /** Resident memory before the load, where `rssBytes` is what it made of it. */
  readonly rssBytesBefore?: number;
  /** The most that the same generator got through the same proxy, in requests a second. */
  readonly peakPerSecond?: number;
  /** p99 of the same load without a proxy. */
  readonly directP99Ms?: number;
}

/** The figure by which a scenario compares the peers. */
export type Compared = 'perSecond' | 'perCpuSecond' | 'p99Ms' | 'bytesPerConnection';

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** How it is loaded, in a sentence. */
  readonly how: string;
  readonly compared: Compared;
  /** Names of those that take part, and of those that do in a quick run. */
  readonly peers: readonly string[];
  readonly quickPeers: readonly string[];
  /** Whether each round has newly started proxies; then there is no warm-up. */
  readonly fresh?: boolean;
  /** Whether the proxies get two cores instead of one. */
  readonly twoCores?: boolean;
  /** The program that makes its load, where that is not wrk. */
  readonly needs?: string;
  task(origin: Origin): Task;
  /** What has to be done once the proxy runs, before it can serve. */
  seed?(target: Target, bench: Bench): Promise<void>;
  /** Waits until it can be loaded, where a GET would not tell. */
  ready?(target: Target, bench: Bench): Promise<void>;
  load(target: Target, bench: Bench, seconds: number): Promise<Sample>;
}

/** The peers that most scenarios have. */
export const SERVERS = ['haproxy', 'nginx', 'vane'];
export const QUICK = ['haproxy', 'vane'];
