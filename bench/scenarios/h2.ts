import { type H2Load, h2loadCommand, h2loadResult } from '../load/h2load.ts';
import { oneServer } from './requests.ts';
import { QUICK, type Scenario, SERVERS } from './scenario.ts';
import { MARGIN_MS, underLoad } from './under-load.ts';

const LOAD: H2Load = { connections: 8, streams: 16 };

export const h2: Scenario = {
  name: 'h2',
  title: 'HTTP/2',
  how: `${LOAD.connections} connections of HTTP/2 over TLS 1.3, ${LOAD.streams} GETs at once on each; plain HTTP/1.1 to the origin.`,
  compared: 'perCpuSecond',
  peers: SERVERS,
  quickPeers: QUICK,
  needs: 'h2load',
  task: (origin) => ({ ...oneServer(origin), tls: true, h2: true }),
  load: (target, bench, seconds) =>
    underLoad(target, async () => {
      const log = `${bench.folder}/h2load-${target.port}.log`;
      const command = h2loadCommand(LOAD, target.port, seconds, log);
      const limit = seconds * 1000 + MARGIN_MS;
      return h2loadResult(await bench.processes.run({ ...command, cores: bench.cores.load }, limit), log);
    }),
};
