import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { startProgram } from '../helpers/program.ts';

let folder: string;
let http: string;
/** What is checked. */
let site: Server;
let datagrams: Socket;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vane-definitions-'));
  mkdirSync(join(folder, 'services.d'));
  const [stats, api, dns] = await freeAddresses(3);
  http = `http://${api}`;
  writeFileSync(
    join(folder, 'vane.yaml'),
    `
global: { node: lb-1, stats: { bind: "${stats}" }, data-dir: ${folder}/data, hard-stop-after: 2s }
registry:
  http: "${api}"
  dns: "${dns}"
  services: ${folder}/services.d
  script-checks: files
  docker-host: unix://${folder}/no-engine.sock
backends: { web: { servers: [web.service.consul] } }
`,
  );
  site = createServer((_request, response) => response.end('fine')).listen(0, '127.0.0.1');
  datagrams = createSocket('udp4').bind(0, '127.0.0.1');
  await Promise.all([once(site, 'listening'), once(datagrams, 'listening')]);
});
afterEach(async () => {
  site.closeAllConnections();
  await Promise.all([
    new Promise((resolve) => site.close(resolve)),
    new Promise<void>((resolve) => datagrams.close(resolve)),
  ]);
  rmSync(folder, { recursive: true });
});

function define(name: string, content: string | object): void {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  writeFileSync(join(folder, 'services.d', name), text);
}

async function get(path: string): Promise<unknown> {
  const answer = await fetch(http + path);
  return answer.json();
}

test('a folder of all three languages defines checks of all kinds, HUP takes what has changed in HCL', async () => {
  const { port } = site.address() as AddressInfo;
  const { port: udp } = datagrams.address();
  define(
    'a.hcl',
    `# All that have an interval.
services {
  name = "web"
  port = ${port}
  meta { motto = "up" }
  check {
    id = "http", http = "http://127.0.0.1:${port}/", interval = "1s"
    notes = <<-EOF
      up and
      running
      EOF
  }
  checks = [
    { id = "tcp", tcp = "127.0.0.1:${port}", interval = "1s" },
    { id = "udp", udp = "127.0.0.1:${udp}", interval = "1s", timeout = "100ms" },
  ]
}
services {
  name = "db"
  checks { id = "script" args = ["/bin/sh", "-c", "echo \\"$0\\"; exit 1", "\${x}"] interval = "1s" }
  checks { id = "docker" docker_container_id = "c1" args = ["true"] interval = "1s" }
  checks { id = "grpc" grpc = "127.0.0.1:1" interval = "1s" }
}`,
  );
  define('b.json', { service: [{ name: 'old', check: [{ id: 'ttl', ttl: '1h', status: 'passing' }] }] });
  define('c.yaml', 'check: { id: alias, name: alias, alias_service: web }\n');
  const config = join(folder, 'vane.yaml');
  await using check = startProgram(process.execPath, ['src/bin/vane.mjs', 'check', '-f', config]);
  expect(await check.ended, check.output()).toBe(0);
  expect(check.output()).toContain('3 service definitions, 1 check definition');

  await using vane = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', config]);
  await vane.says(/vane is ready/);
  await eventually(async () => {
    const noEngine = `dial unix ${folder}/no-engine.sock: connect: no such file or directory`;
    expect(await get('/v1/agent/checks')).toMatchObject({
      http: {
        Status: 'passing',
        Notes: 'up and\nrunning\n',
        Output: expect.stringMatching(/200 OK Output: fine$/),
      },
      tcp: { Type: 'tcp', Status: 'passing', Output: `TCP connect 127.0.0.1:${port}: Success` },
      udp: { Type: 'udp', Status: 'passing', Output: `UDP connect 127.0.0.1:${udp}: Success` },
      script: { Type: 'script', Status: 'warning', Output: `\${x}\n` },
      docker: {
        Type: 'docker',
        Status: 'critical',
        Output: `create exec failed for container c1: ${noEngine}`,
      },
      grpc: { Type: 'grpc', Status: 'critical' },
      ttl: { Type: 'ttl', Status: 'passing' },
      alias: { Type: 'alias', Status: 'passing' },
    });
  }, 20_000);
  expect(await get('/v1/agent/service/web')).toMatchObject({ Meta: { motto: 'up' } });

  define('a.hcl', 'services { name = "web" port = 81 }\nservices { name = "new" }');
  define('b.hcl', 'service { name = "bad" port = eighty }');
  vane.signal('SIGHUP');
  await vane.says(/b\.hcl:1:31: expected a value, texts in quotes, found \\"eighty\\"/);
  expect(Object.keys(Object(await get('/v1/agent/services')))).toEqual(['db', 'old', 'web']);
  rmSync(join(folder, 'services.d', 'b.hcl'));
  vane.signal('SIGHUP');
  await vane.says(/configuration taken/);
  expect(await get('/v1/agent/services')).toMatchObject({ new: {}, old: {}, web: { Port: 81 } });
  expect(Object.keys(Object(await get('/v1/agent/checks')))).toEqual(['alias', 'ttl']);
});
