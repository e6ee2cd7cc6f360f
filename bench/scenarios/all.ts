import { changes } from './changes.ts';
import { idleConnections } from './idle.ts';
import { download, upload } from './large-bodies.ts';
import { latency } from './latency.ts';
import { accessLog, keepAlive, manyConnections, newConnections, post, routes, tcpRelay } from './requests.ts';
import type { Scenario } from './scenario.ts';
import { webSocket } from './websocket.ts';

/** In the order in which they run. */
export const ALL_SCENARIOS: readonly Scenario[] = [
  keepAlive,
  manyConnections,
  newConnections,
  post,
  download,
  upload,
  webSocket,
  tcpRelay,
  latency,
  idleConnections,
  accessLog,
  routes,
  changes,
];

/** What is not measured, and why. */
export const LEFT_OUT = ['TLS: Vane does not end TLS yet.'];
