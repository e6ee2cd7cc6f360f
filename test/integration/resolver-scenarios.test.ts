import { afterEach, describe, expect, test } from 'vitest';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import {
  address,
  type Reaction,
  type Script,
  type ScriptedDnsServer,
  srv,
  startDnsServer,
} from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';
import { RawClient } from '../helpers/raw-http.ts';
import { startWeb, type Web } from '../helpers/web.ts';

// What must hold when names are looked up at nameservers that answer, answer wrongly, late or not at all: each with
// real sockets and requests. What is a matter of times alone stands in the unit tests of holds, with a clock that moves
// when told; what is a matter of messages alone in those of the client.

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const WEB = 'web.example.test';
const API = '_api._tcp.example.test';
const A = '127.0.0.2';
const B = '127.0.0.3';
const C = '127.0.0.4';

const NXDOMAIN: Reaction = { rcode: 'NXDOMAIN' };
const NODATA: Reaction = {};
const SERVFAIL: Reaction = { rcode: 'SERVFAIL' };

async function nameserver(script: Script): Promise<ScriptedDnsServer> {
  const server = await startDnsServer(script);
  cleanups.push(() => server.close());
  return server;
}

/** Web servers that answer with their address, all on one port. */
async function webs(...hosts: string[]): Promise<{ port: number; stop: (host: string) => Promise<void> }> {
  for (let attempt = 1; ; attempt++) {
    const started = new Map<string, Web>();
    try {
      let port = 0;
      for (const host of hosts) {
        const web = await startWeb(host, { host, port });
        started.set(host, web);
        port = web.port;
      }
      const stop = async (host: string) => {
        await started.get(host)?.[Symbol.asyncDispose]();
        started.delete(host);
      };
      cleanups.push(() => Promise.all([...started.keys()].map(stop)));
      return { port, stop };
    } catch (error) {
      for (const web of started.values()) await web[Symbol.asyncDispose]();
      if (attempt === 10) throw error;
    }
  }
}

/** A and, where asked for, nothing else. */
const says =
  (...hosts: string[]): Script =>
  ({ name, type }) =>
    type === 'A' ? { answers: hosts.map((host) => address(name, host, 0)) } : {};

interface Setting {
  readonly section?: string;
  readonly server?: string;
  readonly domain?: string;
  readonly more?: string;
}

function configOf(nameservers: readonly { readonly port: number }[], setting: Setting): string {
  const { section = '', server = '', more = '' } = setting;
  const list = nameservers.map(({ port }, i) => `ns${i + 1}: "127.0.0.1:${port}"`).join(', ');
  return `
resolvers:
  corp: { nameserver: { ${list} }, resolve_retries: 2, timeout: { retry: 150ms }, ${section} }
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends:
  web:
    timeout: { queue: 5s }
    servers: [{ domain: "${setting.domain}", interval: 50ms, drain: 5s, ${server} }]
${more}`;
}

async function startVane(
  nameservers: readonly { readonly port: number }[],
  setting: Setting,
): Promise<AppUnderTest> {
  const vane = await startApp(configOf(nameservers, setting));
  cleanups.push(() => vane[Symbol.asyncDispose]());
  return vane;
}

async function answerOf(vane: AppUnderTest, path = '/'): Promise<string> {
  const response = await fetch(vane.frontend('www') + path);
  const text = await response.text();
  return response.ok ? text : String(response.status);
}

/** Who answers several requests, in the order of their addresses. */
async function answers(vane: AppUnderTest): Promise<string[]> {
  const all = await Promise.all(Array.from({ length: 12 }, () => answerOf(vane)));
  return [...new Set(all)].sort();
}

const answeredBy = (vane: AppUnderTest, ...hosts: string[]) =>
  eventually(async () => expect(await answers(vane)).toEqual(hosts));

async function metric(vane: AppUnderTest, name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${vane.stats}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(name) && one.includes(labels));
  return Number(line?.split(' ').at(-1));
}

/** Waits until so many look-ups of the name have failed, or come back empty, since now. */
async function moreLookUps(vane: AppUnderTest, result: 'ok' | 'empty' | 'failed', more = 3): Promise<void> {
  const ended = () => metric(vane, 'vane_discovery_resolutions_total', `result="${result}"`);
  const enough = (await ended()) + more;
  await eventually(async () => expect(await ended()).toBeGreaterThanOrEqual(enough), 15_000);
}

describe('a name that moves', () => {
  test('A to B: a request under way ends where it began, new ones go to B', async () => {
    let finish = () => {};
    const begun = Promise.withResolvers<void>();
    const slow = await startWeb(
      ({ url }, response) => {
        if (url === '/slow') {
          response.write('from ');
          finish = () => response.end('A');
          begun.resolve();
        } else response.end('A');
      },
      { host: A },
    );
    const fast = await startWeb('B', { host: B, port: slow.port });
    cleanups.push(
      () => slow[Symbol.asyncDispose](),
      () => fast[Symbol.asyncDispose](),
    );
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${slow.port}` });
    const first = answerOf(vane, '/slow');
    await begun.promise;
    ns.script(says(B));
    await answeredBy(vane, 'B');
    finish();
    expect(await first).toBe('from A');
  });

  test('one of several leaves and comes back, in any order: requests follow, and nothing else is told', async () => {
    const { port } = await webs(A, B, C);
    const ns = await nameserver(says(A, B, C));
    const vane = await startVane([ns], { domain: `${WEB}:${port}` });
    await answeredBy(vane, A, B, C);
    ns.script(says(C, A));
    await answeredBy(vane, A, C);
    ns.script(says(B, C, A));
    await answeredBy(vane, A, B, C);
    const told = vane.events().length;
    ns.script(({ nth, ...asked }) => says(...(nth % 2 ? [C, B, A] : [A, C, B]))({ nth, ...asked }));
    await moreLookUps(vane, 'ok', 6);
    expect(vane.events()).toHaveLength(told);
  });

  test('all servers, none, all new servers: the new ones have the requests and none fails', async () => {
    const { port } = await webs(A, B, C);
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${port}` });
    await answeredBy(vane, A);
    for (const next of [[B, C], [A], [B], [A, C]]) {
      ns.script(() => NXDOMAIN);
      await moreLookUps(vane, 'ok', 2);
      ns.script(says(...next));
      await eventually(async () => {
        const now = await answers(vane);
        expect(now).not.toContain('503');
        expect(now).toEqual(next);
      });
    }
  });

  test('whose old address has been taken over by another service gets none of its answers', async () => {
    const { port, stop } = await webs(A, B);
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${port}` });
    await answeredBy(vane, A);
    ns.script(says(B));
    await answeredBy(vane, B);
    await stop(A);
    const stranger = await startWeb('a stranger', { host: A, port });
    cleanups.push(() => stranger[Symbol.asyncDispose]());
    for (let i = 0; i < 3; i++) expect(await answers(vane)).toEqual([B]);
  });
});

describe('an answer that takes all servers away', () => {
  test.each<[string, Reaction]>([
    ['NXDOMAIN', NXDOMAIN],
    ['no data', NODATA],
  ])('(%s) is held by default: requests go on, and it is told', async (_, reaction) => {
    const { port } = await webs(A);
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${port}` });
    await answeredBy(vane, A);
    ns.script(() => reaction);
    await moreLookUps(vane, 'ok');
    expect(await answers(vane)).toEqual([A]);
    expect(JSON.stringify(vane.lines)).toContain('hold nx');
  });

  test.each<[string, Reaction]>([
    ['NXDOMAIN', NXDOMAIN],
    ['no data', NODATA],
  ])('(%s) counts when hold nx is over, and is forgotten with the next good one', async (_, reaction) => {
    const { port } = await webs(A, B);
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${port}`, section: 'hold: { nx: 300ms }' });
    await answeredBy(vane, A);
    ns.script(() => reaction);
    await answeredBy(vane, '503');
    ns.script(says(B));
    await answeredBy(vane, B);
  });
});

describe('a look-up that fails', () => {
  const FAILURES: [string, Script, string][] = [
    ['silence', () => 'drop', 'timeout'],
    ['REFUSED', () => ({ rcode: 'REFUSED' }), 'refused'],
    ['SERVFAIL', () => SERVFAIL, 'other'],
    ['a referral', ({ name }) => ({ authorities: [{ type: 'NS', name, data: `ns.${name}` }] }), 'other'],
  ];

  test.each(FAILURES)('(%s) leaves the servers at work', async (_, script) => {
    const { port } = await webs(A);
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${port}`, section: 'hold: { nx: 0 }' });
    await answeredBy(vane, A);
    ns.script(script);
    await moreLookUps(vane, 'failed');
    expect(await answers(vane)).toEqual([A]);
    expect(await metric(vane, 'vane_discovery_age_seconds')).toBeGreaterThan(0);
  });

  test.each(FAILURES)(
    '(%s) takes them away only after a hold that the user wrote',
    async (_, script, kind) => {
      const { port } = await webs(A, B);
      const ns = await nameserver(says(A));
      const section = `hold: { ${kind}: 400ms }`;
      const vane = await startVane([ns], { domain: `${WEB}:${port}`, section });
      await answeredBy(vane, A);
      ns.script(script);
      await answeredBy(vane, '503');
      ns.script(says(B));
      await answeredBy(vane, B);
    },
  );

  test('with a user’s hold leaves them all the same where on-empty keeps them', async () => {
    const { port } = await webs(A);
    const ns = await nameserver(says(A));
    const setting = { section: 'hold: { other: 100ms }', server: 'on-empty: keep' };
    const vane = await startVane([ns], { domain: `${WEB}:${port}`, ...setting });
    await answeredBy(vane, A);
    ns.script(() => SERVFAIL);
    await moreLookUps(vane, 'failed', 4);
    expect(await answers(vane)).toEqual([A]);
  });
});

describe('two nameservers', () => {
  test('a fast wrong one does not beat a slow right one', async () => {
    const { port } = await webs(A);
    const wrong = await nameserver(() => NXDOMAIN);
    const right = await nameserver(says(A));
    const vane = await startVane([wrong, right], { domain: `${WEB}:${port}`, section: 'hold: { nx: 0 }' });
    await answeredBy(vane, A);
    right.script(async (asked) => {
      await new Promise((resolve) => setImmediate(resolve));
      return says(A)(asked);
    });
    await moreLookUps(vane, 'ok', 5);
    expect(await answers(vane)).toEqual([A]);
    expect(await metric(vane, 'vane_discovery_resolutions_total', 'result="empty"')).toBe(0);
  });

  test('one may be away; with both away servers stay; whichever is back first is followed', async () => {
    const { port } = await webs(A, B);
    const first = await nameserver(says(A));
    const second = await nameserver(says(A));
    const vane = await startVane([first, second], { domain: `${WEB}:${port}` });
    await answeredBy(vane, A);
    first.script(() => 'drop');
    second.script(says(B));
    await answeredBy(vane, B);
    second.script(() => 'drop');
    await moreLookUps(vane, 'failed', 2);
    expect(await answers(vane)).toEqual([B]);
    first.script(says(A));
    await answeredBy(vane, A);
    const of = (name: string) => metric(vane, `haproxy_resolver_${name}`, 'nameserver="ns2"');
    expect(await of('sent')).toBeGreaterThan(await of('valid'));
    await eventually(async () => expect(await of('timeout')).toBeGreaterThan(0));
  });
});

describe('addresses', () => {
  const both: Script = ({ name, type }) => ({ answers: [address(name, type === 'A' ? A : '::1', 0)] });

  test.each<[string, string, string[]]>([
    ['of both families are used', '', [A, 'six']],
    ['of the preferred family only', 'resolve-prefer: ipv4', [A]],
    ['of the other preferred family only', 'resolve-prefer: ipv6', ['six']],
    ['of the preferred networks only', 'resolve-net: 127.0.0.0/8', [A]],
    ['all, where none is in the networks', 'resolve-net: "10.0.0.0/8,2001:db8::/32"', [A, 'six']],
  ])('%s', async (_, server, expected) => {
    const four = await startWeb(A, { host: A });
    const six = await startWeb('six', { host: '::1', port: four.port });
    cleanups.push(
      () => four[Symbol.asyncDispose](),
      () => six[Symbol.asyncDispose](),
    );
    const ns = await nameserver(both);
    const vane = await startVane([ns], { domain: `${WEB}:${four.port}`, server });
    await answeredBy(vane, ...expected);
  });
});

describe('a service', () => {
  const service =
    (...records: readonly [host: string, priority: number, weight?: number][]): Script =>
    ({ name, type }) => {
      if (type === 'SRV') {
        return {
          answers: records.map(([host, priority, weight = 1]) =>
            srv(API, `${host.replaceAll('.', '-')}.example.test`, port, weight, priority),
          ),
        };
      }
      return type === 'A' ? { answers: [address(name, name.split('.')[0]?.replaceAll('-', '.') ?? '')] } : {};
    };
  let port = 0;

  test('uses servers of a higher priority number when all of the lower are gone, and goes back', async () => {
    const servers = await webs(A, B, C);
    port = servers.port;
    const ns = await nameserver(service([A, 1], [B, 5], [C, 5]));
    const vane = await startVane([ns], { domain: API, server: 'check: inter 50ms fall 1 rise 1' });
    await answeredBy(vane, A);
    await servers.stop(A);
    await answeredBy(vane, B, C);
    const back = await startWeb(A, { host: A, port });
    cleanups.push(() => back[Symbol.asyncDispose]());
    await answeredBy(vane, A);
    ns.script(service([B, 9], [C, 2]));
    await answeredBy(vane, C);
  });

  test('one of whose targets cannot be looked up loses nobody, and still follows the others', async () => {
    const servers = await webs(A, B, C);
    port = servers.port;
    const ns = await nameserver(service([A, 1], [B, 1]));
    const vane = await startVane([ns], { domain: API });
    await answeredBy(vane, A, B);
    const failing: Script = (asked) =>
      asked.name.startsWith('127-0-0-2') ? SERVFAIL : service([A, 1], [C, 1])(asked);
    ns.script(failing);
    await answeredBy(vane, A, C);
  });

  test('whose answer is cut short has all of its servers, by TCP', async () => {
    const servers = await webs(A, B, C);
    port = servers.port;
    const all = service([A, 1], [B, 1], [C, 1]);
    const ns = await nameserver(async (asked) => {
      const whole = await all(asked);
      const cut = asked.type === 'SRV' && asked.transport === 'udp';
      return cut && typeof whole === 'object' && 'answers' in whole
        ? { answers: whole.answers?.slice(0, 1) ?? [], truncated: true }
        : whole;
    });
    const vane = await startVane([ns], { domain: API });
    await answeredBy(vane, A, B, C);
    expect(await metric(vane, 'haproxy_resolver_truncated')).toBeGreaterThan(0);
  });
});

test('a thousand backends of one name cost one look-up, keep their servers through an outage, and all follow after it', async () => {
  const { port } = await webs(A, B);
  const ns = await nameserver(says(A));
  const more = Array.from(
    { length: 1_000 },
    (_, i) => `  b${i}: { servers: [{ domain: "${WEB}:${port}", interval: 50ms, drain: 5s }] }\n`,
  ).join('');
  const vane = await startVane([ns], { domain: `${WEB}:${port}`, more });
  await answeredBy(vane, A);
  const before = ns.asked.length;
  const looked = await metric(vane, 'vane_discovery_resolutions_total', 'proxy="web",domain');
  await moreLookUps(vane, 'ok', 3);
  const looks = (await metric(vane, 'vane_discovery_resolutions_total', 'proxy="web",domain')) - looked;
  // Two families each; a busy machine may have one repeated.
  expect(ns.asked.length - before).toBeLessThan(4 * (looks + 2));

  ns.script(() => SERVFAIL);
  await moreLookUps(vane, 'failed', 2);
  expect(await answers(vane)).toEqual([A]);
  ns.script(says(B));
  await answeredBy(vane, B);
  const taken = () => vane.events().filter((event) => event.endsWith(`/${B}:${port} takes requests`));
  await eventually(() => expect(taken()).toHaveLength(1_001), 20_000);
  expect(vane.events().filter((event) => event.includes('no server available'))).toEqual([]);
}, 60_000);

describe('a start', () => {
  test('with every nameserver dead is a start; requests get 503 until one answers', async () => {
    const { port } = await webs(A);
    const ns = await nameserver(() => 'drop');
    const vane = await startVane([ns], { domain: `${WEB}:${port}` });
    expect(await answerOf(vane)).toBe('503');
    ns.script(says(A));
    await answeredBy(vane, A);
  });

  test('uses the address that init-addr gives until a nameserver answers', async () => {
    const { port } = await webs(A, B);
    const ns = await nameserver(() => 'drop');
    const vane = await startVane([ns], { domain: `${WEB}:${port}`, server: `init-addr: "last,${A}"` });
    await answeredBy(vane, A);
    ns.script(says(B));
    await answeredBy(vane, B);
  });
});

describe('clients of a record that vanishes', () => {
  test('that wait in its queue are served by another server', async () => {
    const hold: (() => void)[] = [];
    const busy = await startWeb((_, response) => hold.push(() => response.end('A')), { host: A });
    const free = await startWeb('B', { host: B, port: busy.port });
    cleanups.push(
      () => busy[Symbol.asyncDispose](),
      () => free[Symbol.asyncDispose](),
    );
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${busy.port}`, server: 'maxconn: 1' });
    const first = answerOf(vane);
    await eventually(() => expect(hold).toHaveLength(1));
    const queued = Array.from({ length: 3 }, () => answerOf(vane));
    await eventually(async () =>
      expect(await metric(vane, 'haproxy_backend_current_queue', 'proxy="web"')).toBe(3),
    );
    ns.script(says(B));
    expect(await Promise.all(queued)).toEqual(['B', 'B', 'B']);
    hold[0]?.();
    expect(await first).toBe('A');
  });

  test('that keep their connection have their next request answered by another server', async () => {
    const { port } = await webs(A, B);
    const ns = await nameserver(says(A));
    const vane = await startVane([ns], { domain: `${WEB}:${port}` });
    await answeredBy(vane, A);
    const client = await RawClient.connect(Number(new URL(vane.frontend('www')).port));
    cleanups.push(() => client.socket.destroy());
    const ask = async () => {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      return (await client.answer()).body;
    };
    expect(await ask()).toBe(A);
    ns.script(says(B));
    await answeredBy(vane, B);
    expect(await ask()).toBe(B);
  });
});

test('a connection that fails has the name looked up at once, and its request answered by who is there now', async () => {
  const { port, stop } = await webs(A, B);
  const ns = await nameserver(says(A));
  const vane = await startApp(
    configOf([ns], { domain: `${WEB}:${port}` }).replace('interval: 50ms', 'interval: 1h'),
  );
  cleanups.push(() => vane[Symbol.asyncDispose]());
  await answeredBy(vane, A);
  ns.script(says(B));
  await stop(A);
  await eventually(async () => expect(await answerOf(vane)).toBe(B));
});

test('a server that is checked down, or that answers nobody, is taken out while its name stands still', async () => {
  const servers = await webs(A, B);
  const ns = await nameserver(says(A, B));
  const vane = await startVane([ns], {
    domain: `${WEB}:${servers.port}`,
    server: 'check: inter 50ms fall 1 rise 1',
  });
  await answeredBy(vane, A, B);
  ns.script(() => 'drop');
  await servers.stop(A);
  await answeredBy(vane, B);
});

test.each(['drain', 'maint'])(
  'a server that an operator has put into %s stays so though its record vanishes and returns',
  async (state) => {
    const { port } = await webs(A, B);
    const ns = await nameserver(says(A, B));
    const vane = await startVane([ns], { domain: `${WEB}:${port}` });
    const operate = async (to: string) => {
      const url = `${vane.stats}/server?backend=web&server=${A}:${port}`;
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ state: to }) });
      expect(answer.status, await answer.text()).toBe(200);
    };
    await answeredBy(vane, A, B);
    await operate(state);
    await answeredBy(vane, B);
    ns.script(says(B));
    await moreLookUps(vane, 'ok');
    ns.script(says(A, B));
    await moreLookUps(vane, 'ok');
    expect(await answers(vane)).toEqual([B]);
    await operate('ready');
    await answeredBy(vane, A, B);
  },
);
