import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { datacentersOfTest, listening, register } from '../helpers/datacenter.ts';
import { eventually } from '../helpers/eventually.ts';

const { start, two, again: restarted, atEnd, clean } = datacentersOfTest();
afterEach(clean);

const WEB = { Name: 'web', ID: 'web-1', Address: '10.2.0.1', Port: 8000, Tags: ['v1'] };

describe('names in another datacenter', () => {
  test('services, tags, SRV, nodes and queries are answered, by the rules of here', async () => {
    const { dc1, dc2 } = await two(
      ', dns-config: { service-ttl: { web: 7s }, node-ttl: 9s, enable-truncate: true }',
    );
    for (let i = 1; i <= 5; i++)
      await register(dc2, {
        ...WEB,
        ID: `web-${i}`,
        Address: `10.2.0.${i}`,
        Port: 8000 + i,
        Tags: [`v${i}`],
      });
    await register(dc2, { Name: 'plain', Port: 81 });
    await register(dc2, { ...WEB, ID: 'dead', Address: '10.2.0.99', Check: { TTL: '10m' } });

    const all = await dc1.dns('web.service.dc2.consul', 'A', 1232);
    expect(all.answers?.map((answer) => Object(answer).data).sort()).toEqual(
      [1, 2, 3, 4, 5].map((i) => `10.2.0.${i}`),
    );
    expect(all.answers?.every((answer) => Object(answer).ttl === 7)).toBe(true);
    const small = await dc1.dns('WEB.service.DC2.consul');
    expect(small.answers).toHaveLength(3);
    expect(small.flag_tc).toBe(true);
    expect((await dc1.dns('v4.web.service.dc2.consul')).answers).toMatchObject([{ data: '10.2.0.4' }]);
    const srv = await dc1.dns('_web._v2.service.dc2.consul', 'SRV');
    expect(srv.answers).toMatchObject([{ data: { port: 8002, target: '0a020002.addr.dc2.consul' } }]);
    expect(srv.additionals?.[0]).toMatchObject({ name: '0a020002.addr.dc2.consul', data: '10.2.0.2' });
    const plain = await dc1.dns('plain.service.dc2.consul', 'SRV');
    expect(plain.answers).toMatchObject([{ data: { port: 81, target: 'lb-dc2.node.dc2.consul' } }]);
    expect((await dc1.dns('lb-dc2.node.dc2.consul')).answers).toMatchObject([{ data: '127.0.0.1', ttl: 9 }]);
    await dc2.call('POST', '/v1/query', {
      Name: 'pick',
      Service: { Service: 'web', Tags: ['v3'] },
      DNS: { TTL: '30s' },
    });
    expect((await dc1.dns('pick.query.dc2.consul')).answers).toMatchObject([{ data: '10.2.0.3', ttl: 30 }]);

    for (const name of [
      'none.service.dc2.consul',
      'none.node.dc2.consul',
      'none.query.dc2.consul',
      'web.service.dc9.consul',
    ]) {
      const answer = await dc1.dns(name);
      expect({ name, rcode: answer.rcode, soa: answer.authorities?.[0]?.type }).toEqual({
        name,
        rcode: 'NXDOMAIN',
        soa: 'SOA',
      });
    }
    expect((await dc1.dns('web.service.dc2.consul', 'AAAA')).rcode).toBe('NOERROR');
    expect((await dc1.dns('web.service.consul')).rcode).toBe('NXDOMAIN');
  });

  test('one look-up serves all who ask at the same time, and those of the next moment', async () => {
    const asked: string[] = [];
    let answerAll = () => {};
    const held = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    const upstream = createServer(async (request, answer) => {
      asked.push(
        `${request.url} ${request.headers['x-consul-token']} ${request.headers['x-vane-forwarded-from']}`,
      );
      await held;
      answer.setHeader('Content-Type', 'application/json');
      answer.end(
        JSON.stringify([
          { Node: { Node: 'n', Address: '10.2.0.3' }, Service: { Service: 'web', Port: 1 }, Checks: [] },
        ]),
      );
    });
    const upstreamPort = await listening(upstream, atEnd);
    const http = `http://127.0.0.1:${upstreamPort}`;
    const dc1 = await start('dc1', `datacenters: { dc2: { http: "${http}", token: of-dc2, timeout: 20s } }`);
    const waiting = ['A', 'SRV', 'A', 'AAAA', 'TXT', 'A'].map((type) =>
      dc1.dns('x.service.dc2.consul', type as 'A'),
    );
    await eventually(() => expect(asked).toHaveLength(1));
    // Asked for behind those, answered before them: they have all been read by then.
    expect((await dc1.dns('y.service.consul')).rcode).toBe('NXDOMAIN');
    answerAll();
    const answers = await Promise.all(waiting);
    expect(answers.filter(({ answers: records }) => records?.length === 1)).toHaveLength(5);
    expect(asked).toEqual(['/v1/health/service/x?dc=dc2&stale of-dc2 dc1']);
  });

  test('what is no answer is not taken for one: nobody is there is not said', async () => {
    const bodies = ['{}', 'null', '[{}]', '[{"Node":{"Node":"n"}}]', 'no json', ''];
    const upstream = createServer((request, answer) => {
      answer.end(bodies[Number(/service\/(\d)/.exec(`${request.url}`)?.[1])] ?? '[]');
    });
    const upstreamPort = await listening(upstream, atEnd);
    const dc1 = await start('dc1', `datacenters: { dc2: { http: "http://127.0.0.1:${upstreamPort}" } }`);
    for (const i of bodies.keys())
      expect((await dc1.dns(`${i}.service.dc2.consul`)).rcode, bodies[i]).toBe('SERVFAIL');
    expect((await dc1.dns('9.service.dc2.consul')).rcode).toBe('NXDOMAIN');
    const said = dc1.lines.filter(({ message }) => message.startsWith('datacenter does not say'));
    expect(said.length).toBeGreaterThan(0);
  });

  test('what was said is told while the datacenter is away; what was not asked before fails', async () => {
    const { dc1, dc2 } = await two();
    await register(dc2, WEB);
    expect((await dc1.dns('web.service.dc2.consul')).answers).toHaveLength(1);
    await dc2.stop();
    await eventually(async () => {
      expect((await dc1.dns('new.service.dc2.consul')).rcode).toBe('SERVFAIL');
    });
    expect((await dc1.dns('web.service.dc2.consul')).answers).toMatchObject([{ data: '10.2.0.1' }]);
    const again = await restarted(dc2);
    await register(again, { ...WEB, Address: '10.2.0.7' });
    await eventually(async () => {
      expect((await dc1.dns('web.service.dc2.consul')).answers).toMatchObject([{ data: '10.2.0.7' }]);
    });
  });
});
