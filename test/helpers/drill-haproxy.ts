import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeAddresses } from './free-port.ts';
import { startProgram } from './program.ts';

export interface HaproxyOptions {
  /** `127.0.0.1:PORT`. */
  readonly nameserver: string;
  /** What a `server-template` follows: `web.example.test:80`, or the name of an SRV record. */
  readonly name: string;
}

/** HAProxy that follows a name, with its defaults for all that has one. */
export async function startHaproxy({ nameserver, name }: HaproxyOptions) {
  const [at = ''] = await freeAddresses(1);
  const folder = mkdtempSync(join(tmpdir(), 'vane-drill-'));
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, configuration(at, nameserver, name));
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const program = startProgram('/usr/bin/env', ['haproxy', '-db', '-q', '-f', file], { PATH: path });
  return {
    port: Number(at.split(':')[1]),
    output: program.output,
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(at: string, nameserver: string, name: string): string {
  return `
global
  nbthread 1
resolvers names
  nameserver ns1 ${nameserver}
  accepted_payload_size 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option redispatch
frontend www
  bind ${at}
  default_backend web
backend web
  balance roundrobin
  server-template web 12 ${name} resolvers names resolve-prefer ipv4 init-addr none check
`;
}
