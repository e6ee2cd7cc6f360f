import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { type Script, startDnsServer } from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';
import { startWeb } from '../helpers/web.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-answers-'));
afterAll(() => rmSync(folder, { recursive: true }));

let folders = 0;

/** An empty data folder, and the file in it that the last answers are kept in. */
function dataFolder() {
  const dir = join(folder, `${folders++}`);
  return { dir, file: join(dir, 'last-answers.json') };
}

const SILENT: Script = () => 'drop';

function says(...addresses: readonly string[]): Script {
  return ({ name, type }) => ({
    answers: type === 'A' ? addresses.map((data) => ({ name, type: 'A', ttl: 1, data })) : [],
  });
}

function config(nameserver: number, web: number, more = ''): string {
  return `
resolvers: { corp: { nameserver: { ns1: "127.0.0.1:${nameserver}" }, timeout: { retry: 50ms }, hold: { nx: 0 } } }
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [{ domain: "web.example.com:${web}", resolvers: corp, interval: 50ms }${more}] } }
`;
}

async function textOf(url: string): Promise<string> {
  const answer = await fetch(url);
  return `${answer.status} ${await answer.text()}`;
}

describe('the start', () => {
  test('does not wait for a name that does not resolve: other servers work, and its own once it does', async () => {
    await using a = await startWeb('a');
    await using dns = await ended(startDnsServer(SILENT));
    await using vane = await startApp(config(dns.port, a.port, `, "127.0.0.1:${a.port}"`));
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    await using alone = await startApp(config(dns.port, a.port));
    expect(await textOf(alone.frontend('www'))).toMatch(/^503/);
    dns.script(says('127.0.0.1'));
    await eventually(async () => expect(await textOf(alone.frontend('www'))).toBe('200 a'));
  });

  test('goes by the last answers while nameservers are silent, by those servers that accept connections', async () => {
    const { dir, file } = dataFolder();
    await using a = await startWeb('a');
    await using dns = await ended(startDnsServer(says('127.0.0.1', '127.9.9.9')));
    {
      await using vane = await startApp(config(dns.port, a.port), dir);
      await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      version: 1,
      names: [{ name: ['corp', 'web.example.com', a.port], endpoints: [{}, {}] }],
    });
    dns.script(SILENT);
    await using vane = await startApp(config(dns.port, a.port), dir);
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
    const explained = await (await fetch(`${vane.stats}/explain?backend=web`)).json();
    expect(explained).toMatchObject({
      names: [{ hint: true }],
      // Nothing listens at the other one.
      servers: [
        { address: '127.0.0.1', decided: { why: expect.stringContaining('known from before the start') } },
      ],
    });
    const line = vane.lines.find(({ message }) => message.includes('known from before are used'));
    expect(line).toMatchObject({ level: 'warn', fields: { domain: 'web.example.com', servers: 1 } });
    // The first answer is what counts from then on.
    dns.script(says());
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toMatch(/^503/));
    expect(await (await fetch(`${vane.stats}/metrics`)).text()).toContain(
      'vane_discovery_hint{proxy="web",domain="web.example.com"} 0',
    );
  });

  test.each([
    ['cut short', '{"version":1,"names":[{"na', /JSON/],
    ['of another version', '{"version":9,"names":[]}', /version is 9/],
  ])('passes over a file that is %s, and says so', async (_, text, error) => {
    const { dir, file } = dataFolder();
    await using a = await startWeb('a');
    await using dns = await ended(startDnsServer(says('127.0.0.1')));
    await (await startApp(config(dns.port, a.port), dir)).app.stop();
    writeFileSync(file, text);
    await using vane = await startApp(config(dns.port, a.port), dir);
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
    expect(vane.lines.find(({ message }) => message.includes('cannot be read'))).toMatchObject({
      level: 'warn',
      fields: { file, error: expect.stringMatching(error) },
    });
  });

  test('passes over what is older than a day', async () => {
    const { dir, file } = dataFolder();
    await using a = await startWeb('a');
    await using dns = await ended(startDnsServer(says('127.0.0.1')));
    await (await startApp(config(dns.port, a.port), dir)).app.stop();
    const written = JSON.parse(readFileSync(file, 'utf8'));
    written.names[0].at -= 25 * 3_600_000;
    writeFileSync(file, JSON.stringify(written));
    chmodSync(file, 0o600);
    dns.script(SILENT);
    await using vane = await startApp(config(dns.port, a.port), dir);
    expect(await textOf(vane.frontend('www'))).toMatch(/^503/);
  });
});

test('what is known is written while Vane runs, not only when it stops', async () => {
  const { dir, file } = dataFolder();
  await using dns = await ended(startDnsServer(says('127.0.0.1')));
  await using _vane = await startApp(config(dns.port, 81), dir);
  const addresses = () =>
    JSON.parse(readFileSync(file, 'utf8')).names.map(({ endpoints }: { endpoints: { address: string }[] }) =>
      endpoints.map(({ address }) => address),
    );
  await eventually(() => expect(addresses()).toEqual([['127.0.0.1']]));
  dns.script(says('127.0.0.2', '127.0.0.3'));
  await eventually(() => expect(addresses()).toEqual([['127.0.0.2', '127.0.0.3']]));
  // An answer without servers leaves nothing to go by.
  dns.script(says());
  await eventually(() => expect(addresses()).toEqual([]));
});

async function ended<T extends { close(): Promise<void> }>(starting: Promise<T>) {
  const started = await starting;
  return Object.assign(started, { [Symbol.asyncDispose]: () => started.close() });
}
