import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { AppUnderTest } from '../helpers/app.ts';
import { startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { startWeb } from '../helpers/web.ts';

/** A web server whose health is the test's to say. */
async function startChecked(name: string) {
  const health = { status: 200, asked: 0 };
  const web = await startWeb((request, response) => {
    if (request.url !== '/health') return response.end(name);
    health.asked++;
    return response.writeHead(health.status).end();
  });
  return Object.assign(web, { health });
}

/** An agent that says what the test has it say. */
async function startAgent(says: string) {
  const agent = { says, port: 0 };
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.end(`${agent.says}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  agent.port = (server.address() as AddressInfo).port;
  const end = () => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return Object.assign(agent, { [Symbol.asyncDispose]: async () => void (await end()) });
}

const frontend = 'frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }';

async function textOf(url: string): Promise<string> {
  const answer = await fetch(url);
  return `${answer.status} ${await answer.text()}`;
}

/** `state` of each server in metrics. */
async function metric(vane: AppUnderTest, name: string): Promise<Record<string, string>> {
  const text = await (await fetch(`${vane.stats}/metrics`)).text();
  const rows = text.matchAll(new RegExp(`^haproxy_server_${name}\\{(.*)\\} (\\S+)$`, 'gm'));
  const values: Record<string, string> = {};
  for (const [, labels = '', value = ''] of rows) {
    const server = /server="([^"]*)"/.exec(labels)?.[1] ?? '';
    const state = /state="([^"]*)"/.exec(labels)?.[1];
    if (state === undefined) values[server] = value;
    else if (value === '1') values[server] = state;
  }
  return values;
}

describe('probe-before-admit', () => {
  test('gives a new server no work until its first good check', async () => {
    await using a = await startChecked('a');
    a.health.status = 503;
    await using vane = await startApp(`
${frontend}
backends:
  web:
    option: [httpchk GET /health]
    servers: [{ domain: web.service.consul, check: inter 20ms rise 1, probe-before-admit: true }]`);
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    await eventually(() => expect(a.health.asked).toBeGreaterThan(1));
    expect(await textOf(vane.frontend('www'))).toMatch(/^503/);
    expect(vane.events()).not.toContain('server web/a takes requests');
    a.health.status = 200;
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
    const explained = await (await fetch(`${vane.stats}/explain?backend=web&server=a`)).json();
    expect(explained).toMatchObject({
      servers: [{ health: { up: true, why: expect.stringMatching(/^Layer7 check passed, code: 200/) } }],
    });
  });
});

describe('track', () => {
  test('has a server go up and down with the one that it tracks, by one check for both', async () => {
    await using a = await startChecked('a');
    const at = `127.0.0.1:${a.port}`;
    await using vane = await startApp(`
${frontend}
backends:
  web: { servers: [{ domain: web.service.consul, track: db }] }
  api: { servers: [{ address: "${at}", track: "db/${at}" }] }
  db: { option: [httpchk GET /health], servers: [{ address: "${at}", check: inter 20ms rise 1 fall 1 }] }`);
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    await eventually(async () => {
      expect(await metric(vane, 'check_status')).toEqual({ a: 'L7OK', [at]: 'L7OK' });
    });
    a.health.status = 503;
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toMatch(/^503/));
    const downs = ['server web/a', `server api/${at}`, `server db/${at}`];
    for (const server of downs) expect(vane.events()).toContain(`${server} gets no new requests`);
    a.health.status = 200;
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
  });

  test('is taken up when what it tracks comes later, and let go when it goes', async () => {
    await using a = await startChecked('a');
    a.health.status = 503;
    const tracking = (more: string) => `
${frontend}
backends:
  web: { servers: [{ domain: web.service.consul, track: db }] }
  db: { option: [httpchk GET /health], servers: [{ address: "127.0.0.1:1", check: true }${more}] }`;
    await using vane = await startApp(tracking(''));
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    await vane.reload(tracking(`, { address: "127.0.0.1:${a.port}", check: inter 20ms }`));
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toMatch(/^503/));
    await vane.reload(tracking(''));
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
  });
});

describe('an agent', () => {
  test('weighs, drains and takes its server down; what it has said holds until it says otherwise', async () => {
    await using a = await startChecked('a');
    await using agent = await startAgent('50%');
    await using vane = await startApp(`
${frontend}
backends:
  web:
    servers:
      - address: 127.0.0.1:${a.port}
        weight: 10
        agent-check: agent-port ${agent.port} agent-inter 20ms`);
    const name = `127.0.0.1:${a.port}`;
    await eventually(async () => expect(await metric(vane, 'weight')).toEqual({ [name]: '5' }));
    expect(await metric(vane, 'agent_status')).toEqual({ [name]: 'L7OK' });
    agent.says = 'drain';
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toMatch(/^503/));
    expect(await metric(vane, 'status')).toEqual({ [name]: 'DRAIN' });
    agent.says = 'ready maxconn:7';
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
    expect(await metric(vane, 'limit_sessions')).toEqual({ [name]: '7' });
    agent.says = 'down#disk full';
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toMatch(/^503/));
    expect(await metric(vane, 'agent_status')).toEqual({ [name]: 'L7STS' });
    const line = vane.lines.find(({ message }) => message.endsWith('gets no new requests'));
    expect(line?.fields).toMatchObject({ source: 'health', why: 'agent said "down#disk full"' });
    // It says nothing that counts: its last word does.
    agent.says = 'who is there?';
    await eventually(async () => expect(await metric(vane, 'agent_status')).toEqual({ [name]: 'L7RSP' }));
    expect(await textOf(vane.frontend('www'))).toMatch(/^503/);
    agent.says = 'up';
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
  });
});

describe('disable-on-404', () => {
  test('keeps new work from a server that asks for it, and calls it NOLB', async () => {
    await using a = await startChecked('a');
    await using b = await startChecked('b');
    await using vane = await startApp(`
${frontend}
backends:
  web:
    option: [httpchk GET /health]
    http-check: [disable-on-404]
    timeout: { check: 5s }
    servers:
      - { address: "127.0.0.1:${a.port}", check: inter 20ms }
      - { address: "127.0.0.1:${b.port}", check: inter 20ms }`);
    a.health.status = 404;
    const name = `127.0.0.1:${a.port}`;
    await eventually(async () => expect(await metric(vane, 'status')).toMatchObject({ [name]: 'NOLB' }));
    expect(await metric(vane, 'check_status')).toMatchObject({ [name]: 'L7OKC' });
    for (let i = 0; i < 4; i++) expect(await textOf(vane.frontend('www'))).toBe('200 b');
    a.health.status = 200;
    await eventually(async () => expect(await metric(vane, 'status')).toMatchObject({ [name]: 'UP' }));
    const both = new Set<string>();
    for (let i = 0; i < 4; i++) both.add(await textOf(vane.frontend('www')));
    expect(both).toEqual(new Set(['200 a', '200 b']));
  });
});

describe('slowstart', () => {
  test('is for who joins and who is back, not for who was there at the start', async () => {
    await using a = await startChecked('a');
    await using b = await startChecked('b');
    await using vane = await startApp(`
${frontend}
backends:
  web: { servers: [{ domain: web.service.consul, weight: 100, slowstart: 1h }] }
  old: { servers: [{ address: "127.0.0.1:${a.port}", weight: 100, slowstart: 1h }] }`);
    await vane.register({ Name: 'web', ID: 'b', Address: '127.0.0.1', Port: b.port });
    expect(await metric(vane, 'weight')).toEqual({ [`127.0.0.1:${a.port}`]: '100', b: '5' });
    expect(await metric(vane, 'uweight')).toEqual({ [`127.0.0.1:${a.port}`]: '100', b: '100' });
    expect(await metric(vane, 'current_throttle')).toMatchObject({ b: '5' });
  });
});

describe('when a check has spoken', () => {
  async function setUp(more: string) {
    const streams = new Set<string>();
    const start = (name: string) =>
      startWeb((request, response) => {
        if (request.url === '/health') {
          response.writeHead(health[name] ?? 200).end();
          return;
        }
        streams.add(name);
        response.write('begun');
      });
    const health: Record<string, number> = {};
    const [a, b] = [await start('a'), await start('b')];
    const vane = await startApp(`
${frontend}
backends:
  web:
    option: [httpchk GET /health]
    servers:
      - { address: "127.0.0.1:${a.port}", check: inter 20ms fall 1 rise 1, ${more} }
      - { address: "127.0.0.1:${b.port}", backup: true }`);
    return { vane, a, b, health, streams };
  }

  /** Resolves with how a download ends. */
  async function download(vane: AppUnderTest): Promise<Promise<string>[]> {
    const answer = await fetch(vane.frontend('www'));
    return [
      answer.text().then(
        () => 'whole',
        () => 'cut',
      ),
    ];
  }

  test('on-marked-down shutdown-sessions ends the work of a server that goes down', async () => {
    const { vane, a, b, health } = await setUp('on-marked-down: shutdown-sessions');
    await using _ = { [Symbol.asyncDispose]: () => dispose(vane, a, b) };
    const [ended] = await download(vane);
    health.a = 503;
    expect(await ended).toBe('cut');
  });

  test('on-marked-up shutdown-backup-sessions ends the work of backups when a server is back', async () => {
    const { vane, a, b, health, streams } = await setUp('on-marked-up: shutdown-backup-sessions');
    await using _ = { [Symbol.asyncDispose]: () => dispose(vane, a, b) };
    health.a = 503;
    const name = `127.0.0.1:${a.port}`;
    await eventually(async () => expect(await metric(vane, 'status')).toMatchObject({ [name]: 'DOWN' }));
    const [ended] = await download(vane);
    expect([...streams]).toEqual(['b']);
    health.a = 200;
    expect(await ended).toBe('cut');
    expect(await metric(vane, 'status')).toMatchObject({ [`127.0.0.1:${b.port}`]: 'UP' });
  });

  async function dispose(...all: AsyncDisposable[]): Promise<void> {
    for (const one of all) await one[Symbol.asyncDispose]();
  }
});
