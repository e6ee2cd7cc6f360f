import { mkdirSync, writeFileSync } from 'node:fs';
import { LARGE_BYTES, SMALL_BODY } from './load/bodies.ts';
import type { Cores } from './machine.ts';
import { hasProgram } from './machine.ts';
import { BENCH } from './paths.ts';
import { nginxCommand, nginxFile } from './peers/nginx.ts';
import type { Command, Processes } from './processes.ts';
import { freePort, untilAnswers } from './sockets.ts';

/** Addresses that the origin listens on, so that it can stand for as many servers. */
const ADDRESSES = Array.from({ length: 50 }, (_, i) => `127.0.0.${i + 1}`);

/** Who answers what the proxies pass on. Each is a list of `host:port` that all lead to the same process. */
export interface Origin {
  readonly title: string;
  /** For GET: nginx where there is one, because it costs the least. */
  readonly fast: readonly string[];
  /** For bodies and WebSockets: answers when it has the whole of a request. */
  readonly thorough: readonly string[];
}

/** The port that a list of the origin's addresses shares. */
export function portOf(addresses: readonly string[]): number {
  return Number(addresses[0]?.split(':')[1]);
}

/** Starts the origin for a whole run. */
export async function startOrigin(
  processes: Processes,
  cores: Cores,
  node: string,
  folder: string,
): Promise<Origin> {
  const start = async (commandFor: (port: number) => Command) => {
    const port = await freePort();
    const running = processes.start({ ...commandFor(port), cores: cores.load });
    await untilAnswers(port, running);
    return ADDRESSES.map((address) => `${address}:${port}`);
  };
  const thorough = await start((port) => ({
    program: node,
    args: [`${BENCH}load/origin.ts`, String(port), ...ADDRESSES],
  }));
  if (!hasProgram('nginx')) return { title: 'Node (no nginx)', fast: thorough, thorough };
  const fast = await start((port) => nginxOrigin(`${folder}/origin`, port));
  return { title: 'nginx', fast, thorough };
}

function nginxOrigin(folder: string, port: number): Command {
  mkdirSync(folder);
  writeFileSync(`${folder}/large`, Buffer.alloc(LARGE_BYTES, 'x'));
  const http = [
    '  access_log off;',
    '  sendfile on;',
    '  default_type text/plain;',
    '  server {',
    ...ADDRESSES.map((address) => `    listen ${address}:${port} backlog=4096;`),
    `    location = /large { root ${folder}; }`,
    `    location / { return 200 '${SMALL_BODY}'; }`,
    '  }',
  ];
  writeFileSync(`${folder}/nginx.conf`, nginxFile(folder, http));
  return nginxCommand(`${folder}/nginx.conf`);
}
