import { portOf } from '../origin.ts';
import { oneServer } from './requests.ts';
import { QUICK, type Scenario, SERVERS } from './scenario.ts';
import { runLoad, underLoad } from './under-load.ts';

const CONNECTIONS = 64;
/** Of the peak. */
const SHARE = 0.7;
/** Beyond this rate the generator, which shares its core with the origin, is late by itself. */
const MOST_PER_SECOND = 30_000;

export const latency: Scenario = {
  name: 'latency',
  title: 'Latency at 70 % load',
  how: 'GET on 64 connections at a fixed rate (open loop): 70 % of the most that the same generator gets through the same proxy, but no more than 30,000 a second, which spares only the fastest. What the generator shows at the same rate without a proxy stands beside it: a p99 near that is not the doing of the proxy.',
  compared: 'p99Ms',
  peers: [...SERVERS, 'http-proxy-3'],
  quickPeers: QUICK,
  task: oneServer,
  async load(target, bench, seconds) {
    const paced = (port: number, rate: number, length: number) =>
      runLoad(bench, 'paced.ts', [port, CONNECTIONS, length, rate], length);
    const peak = await paced(target.port, 0, 1);
    const peakPerSecond = peak.done / peak.seconds;
    const rate = Math.min(MOST_PER_SECOND, Math.round(peakPerSecond * SHARE));
    const sample = await underLoad(target, () => paced(target.port, rate, seconds));
    const direct = await paced(portOf(bench.origin.fast), rate, 1);
    return { ...sample, peakPerSecond, directP99Ms: direct.p99Ms };
  },
};
