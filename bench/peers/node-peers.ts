import { existsSync, readFileSync } from 'node:fs';
import { BENCH } from '../paths.ts';
import type { Peer } from './peer.ts';

export const httpProxy3 = nodePeer('http-proxy-3', 'http-proxy-3', 'http-proxy-3.mjs', 'http-proxy-3');
export const fastifyProxy = nodePeer(
  'fastify-http-proxy',
  '@fastify/http-proxy',
  'fastify-http-proxy.mjs',
  '@fastify/http-proxy',
);

/** Only moves bytes from one socket to another: what Node itself allows at most. */
export const nodeRelay = nodePeer('node-relay', 'bare Node relay', 'node-relay.mjs');

/** A program of bench/peers/programs: `node PROGRAM PORT SERVER`; `uses` is the package that it stands for. */
function nodePeer(name: string, title: string, program: string, uses?: string): Peer {
  const file = `${BENCH}node_modules/${uses}/package.json`;
  return {
    name,
    title,
    missing: () => (uses === undefined || existsSync(file) ? undefined : 'npm ci in bench/'),
    version: () => (uses === undefined ? undefined : versionIn(file)),
    prepare(task, place) {
      const args = [`${BENCH}peers/programs/${program}`, String(place.port), task.servers[0] ?? ''];
      return { command: { program: place.node, args } };
    },
  };
}

function versionIn(file: string): string {
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
