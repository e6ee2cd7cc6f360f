import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { hasProgram, versionOf } from '../machine.ts';
import { BENCH } from '../paths.ts';
import { DNS_NAME, type Peer } from './peer.ts';

/** Addresses from a file; for SRV, records from its configuration. */
export const dnsmasq: Peer = {
  name: 'dnsmasq',
  title: 'dnsmasq',
  missing: () => (hasProgram('dnsmasq') ? undefined : 'apt-get install dnsmasq-base'),
  version: () => versionOf('dnsmasq', ['-v'], /version ([\d.]+)/),
  prepare(task, place) {
    // As many as fit into a datagram: more would only be cut off.
    const hosts = task.servers.slice(0, 3).map(hostOf);
    writeFileSync(
      `${place.folder}/hosts`,
      hosts.map((host, i) => `${host} ${DNS_NAME}\n${host} ${target(i)}\n`).join(''),
    );
    const lines = [
      `port=${place.port}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'no-resolv',
      'no-hosts',
      `user=${userInfo().username}`,
      'pid-file=',
      'local=/consul/',
      `addn-hosts=${place.folder}/hosts`,
      ...hosts.map((_, i) => `srv-host=${DNS_NAME},${target(i)},80,1,1`),
    ];
    writeFileSync(`${place.folder}/dnsmasq.conf`, `${lines.join('\n')}\n`);
    return { command: { program: 'dnsmasq', args: ['-k', '-C', `${place.folder}/dnsmasq.conf`] } };
  },
};

/** What Node allows one who reads and writes every message with dns-packet. */
export const naiveDns: Peer = {
  name: 'naive-dns',
  title: 'naive dns-packet server',
  missing: () => undefined,
  version: () => undefined,
  prepare(task, place) {
    const args = [`${BENCH}peers/programs/naive-dns.mjs`, String(place.port), ...task.servers.map(hostOf)];
    return { command: { program: place.node, args } };
  },
};

function hostOf(server: string): string {
  return server.split(':')[0] ?? '';
}

function target(index: number): string {
  return `i${index}.node.consul`;
}
