import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { startConsulApi } from '../../helpers/consul-api.ts';
import { eventually } from '../../helpers/eventually.ts';

test('stopping answers the blocking queries, ends silent connections and refuses new ones', async () => {
  const under = await startConsulApi();
  const { api, base, call } = under;
  const { headers } = await call('GET', '/v1/catalog/services');
  const waiting = call('GET', `/v1/catalog/services?index=${headers.get('x-consul-index')}&wait=10m`);
  const silent = connect(api.port, '127.0.0.1');
  await once(silent, 'connect');
  await eventually(() => expect(api.waiting).toBe(1));

  const ended = once(silent, 'close');
  const began = performance.now();
  const stopping = api.stop(systemClock.now() + 20_000);
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect(answer.headers.get('connection')).toBe('close');
  await Promise.all([stopping, ended]);
  expect(performance.now() - began).toBeLessThan(10_000);
  await expect(fetch(`${base}/v1/status/leader`)).rejects.toThrow();
  await under.close();
});

test('a stop without a start, and a second stop, do nothing', async () => {
  const under = await startConsulApi();
  await under.api.stop(systemClock.now());
  await under.api.stop(systemClock.now());
  await under.close();
});

test('a port that is taken is told as BIND_FAILED', async () => {
  const under = await startConsulApi();
  await expect(startConsulApi({ bind: { host: '127.0.0.1', port: under.api.port } })).rejects.toMatchObject({
    code: 'BIND_FAILED',
  });
  await under.close();
});
