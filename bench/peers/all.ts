import { dnsmasq, naiveDns } from './dns-peers.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { fastifyProxy, httpProxy3, nodeRelay } from './node-peers.ts';
import type { Peer } from './peer.ts';
import { guardedVane, vane, vaneWithTwoWorkers } from './vane.ts';

/** In the order of the tables. */
export const ALL_PEERS: readonly Peer[] = [
  haproxy,
  nginx,
  vane,
  guardedVane,
  vaneWithTwoWorkers,
  httpProxy3,
  fastifyProxy,
  nodeRelay,
  dnsmasq,
  naiveDns,
];
