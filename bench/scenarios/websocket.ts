import { QUICK, type Scenario, SERVERS } from './scenario.ts';
import { runLoad, underLoad } from './under-load.ts';

const CONNECTIONS = 64;

export const webSocket: Scenario = {
  name: 'websocket',
  title: 'WebSocket echo',
  how: '64 WebSockets, each with one message of 64 bytes under way to the origin and back.',
  compared: 'perCpuSecond',
  peers: [...SERVERS, 'http-proxy-3'],
  quickPeers: QUICK,
  task: (origin) => ({ mode: 'http', servers: origin.thorough.slice(0, 1), webSocket: true }),
  load: (target, bench, seconds) =>
    underLoad(target, () => runLoad(bench, 'websocket.ts', [target.port, CONNECTIONS, seconds], seconds)),
};
