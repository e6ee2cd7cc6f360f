import { changes, changesAmongMany } from './changes.ts';
import { dns, dnsChanges, dnsSrv } from './dns.ts';
import { h2 } from './h2.ts';
import { idleConnections } from './idle.ts';
import { download, upload } from './large-bodies.ts';
import { latency } from './latency.ts';
import {
  accessLog,
  keepAlive,
  manyConnections,
  newConnections,
  post,
  routes,
  tcpRelay,
  tls,
  tlsHandshakes,
} from './requests.ts';
import type { Scenario } from './scenario.ts';
import { unreadAnswers } from './unread.ts';
import { webSocket } from './websocket.ts';
import { workers } from './workers.ts';

/** In the order in which they run. */
export const ALL_SCENARIOS: readonly Scenario[] = [
  keepAlive,
  manyConnections,
  newConnections,
  post,
  download,
  upload,
  tls,
  tlsHandshakes,
  h2,
  webSocket,
  tcpRelay,
  latency,
  idleConnections,
  unreadAnswers,
  accessLog,
  routes,
  workers,
  changes,
  changesAmongMany,
  dns,
  dnsSrv,
  dnsChanges,
];
