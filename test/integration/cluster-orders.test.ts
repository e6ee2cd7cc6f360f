import { expect, vi } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { startClusterNode } from '../helpers/cluster-node.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer } from '../helpers/redis-server.ts';

const SECTIONS = 'backends: { web: { servers: ["127.0.0.1:9", { domain: web.service.consul }] } }';

const STATIC = '127.0.0.1:9';

async function command(...args: readonly string[]): Promise<{ code: unknown; output: string }> {
  const said = vi.spyOn(console, 'log').mockImplementation(() => {});
  const failed = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    const code = await runCli(['server', ...args]);
    return { code, output: [...said.mock.calls, ...failed.mock.calls].join('\n') };
  } finally {
    said.mockRestore();
    failed.mockRestore();
  }
}

needs('redis-server', 'redis-server').test(
  'an order for all nodes holds on each, on one that starts later and for a server that was away, until it is taken back',
  async () => {
    await using redis = await RedisServer.start();
    await using a = await startClusterNode('lb-1', redis.port, SECTIONS);
    await using b = await startClusterNode('lb-2', redis.port, SECTIONS);
    const register = async (verb: 'register' | 'deregister/web-1', body: object | undefined) => {
      const url = `http://${a.registry}/v1/agent/service/${verb}`;
      const answer = await fetch(url, { method: 'PUT', body: body ? JSON.stringify(body) : null });
      expect(answer.status).toBe(200);
    };
    const web1 = { Name: 'web', ID: 'web-1', Address: '127.0.0.1', Port: 10 };
    await register('register', web1);
    await eventually(async () => expect((await b.server('web', 'web-1'))?.work).toBe('open'));

    const why = 'maint on all nodes by alice: kernel update';
    vi.stubEnv('SUDO_USER', 'alice');
    for (const server of ['web/127.0.0.1:9', 'web/web-1']) {
      const said = await command(server, 'maint', '--cluster', '--reason', 'kernel update', '-f', a.file);
      expect(said).toEqual({ code: 0, output: `${server}: maint on all nodes` });
    }
    for (const node of [a, b]) {
      for (const server of [STATIC, 'web-1']) {
        await eventually(async () =>
          expect(await node.server('web', server)).toMatchObject({
            work: 'closed',
            decided: { source: 'operator', why },
            operator: { mode: 'maint', why },
          }),
        );
      }
    }

    // Whoever comes later, and a server that was away, have it, too.
    await using c = await startClusterNode('lb-3', redis.port, SECTIONS);
    expect(await c.server('web', STATIC)).toMatchObject({ operator: { mode: 'maint', why } });
    await register('deregister/web-1', undefined);
    for (const node of [b, c]) {
      await eventually(async () => expect(await node.server('web', 'web-1')).toBeUndefined());
    }
    // An order for one node alone ends nobody else's.
    await command('web/127.0.0.1:9', 'ready', '-f', b.file);
    expect(await b.server('web', STATIC)).toMatchObject({ work: 'open' });
    expect(await c.server('web', STATIC)).toMatchObject({ work: 'closed' });
    await register('register', web1);
    for (const node of [b, c]) {
      await eventually(async () =>
        expect(await node.server('web', 'web-1')).toMatchObject({ operator: { mode: 'maint', why } }),
      );
    }

    const ready = 'ready on all nodes by alice';
    for (const server of ['web/127.0.0.1:9', 'web/web-1'])
      await command(server, 'ready', '--cluster', '-f', c.file);
    for (const node of [a, c]) {
      for (const server of [STATIC, 'web-1']) {
        await eventually(async () =>
          expect(await node.server('web', server)).toMatchObject({
            work: 'open',
            operator: { mode: 'ready', why: ready },
          }),
        );
      }
    }
    const kept = await fetch(`http://${b.registry}/v1/kv/_vane/?keys`);
    expect(kept.status, await kept.text()).toBe(404);

    await redis.kill();
    await eventually(async () => {
      const { code, output } = await command('web/127.0.0.1:9', 'drain', '--cluster', '-f', a.file);
      expect(code).toBe(1);
      expect(output).toMatch(/^Not done: not taken by the registry: /);
    });
  },
  60_000,
);
