import { afterEach, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { eventually } from '../../helpers/eventually.ts';

let under: ConsulApiUnderTest | undefined;
afterEach(() => under?.close());

async function started(options = {}) {
  under = await startConsulApi(options);
  return under;
}

const index = (answer: { headers: Headers }) => Number(answer.headers.get('x-consul-index'));

describe('a blocking query', () => {
  test('is woken by what it asked about, and by nothing else', async () => {
    const { call, api } = await started();
    await call('PUT', '/v1/agent/service/register', { Name: 'a' });
    const before = index(await call('GET', '/v1/health/service/a'));

    let woken = false;
    const waiting = call('GET', `/v1/health/service/a?index=${before}&wait=1m`).finally(() => {
      woken = true;
    });
    await eventually(() => expect(api.waiting).toBe(1));
    await call('PUT', '/v1/agent/service/register', { Name: 'b' });
    // The same again commits nothing.
    await call('PUT', '/v1/agent/service/register', { Name: 'a' });
    expect(woken).toBe(false);
    expect(api.waiting).toBe(1);

    await call('PUT', '/v1/agent/service/register', { Name: 'a', Port: 1 });
    const answer = await waiting;
    expect(index(answer)).toBeGreaterThan(before);
    expect(answer.json).toMatchObject([{ Service: { ID: 'a', Port: 1 } }]);
    expect(api.waiting).toBe(0);
  });

  test('wakes for the first instance and for the last one to go', async () => {
    const { call, api } = await started();
    const none = index(await call('GET', '/v1/health/service/a'));
    expect(none).toBeGreaterThan(0);

    const first = call('GET', `/v1/health/service/a?index=${none}&wait=1m`);
    await eventually(() => expect(api.waiting).toBe(1));
    await call('PUT', '/v1/agent/service/register', { Name: 'a' });
    const came = await first;
    expect(came.json).toHaveLength(1);

    const last = call('GET', `/v1/health/service/a?index=${index(came)}&wait=1m`);
    await eventually(() => expect(api.waiting).toBe(1));
    await call('PUT', '/v1/agent/service/deregister/a');
    const went = await last;
    expect(went.json).toEqual([]);
    expect(index(went)).toBeGreaterThan(index(came));
  });

  test('answers what it has when the wait is over, with the index it had', async () => {
    const { call } = await started();
    await call('PUT', '/v1/agent/service/register', { Name: 'a' });
    const before = index(await call('GET', '/v1/health/service/a'));
    const answer = await call('GET', `/v1/health/service/a?index=${before}&wait=50ms`);
    expect(answer.status).toBe(200);
    expect(index(answer)).toBe(before);
    expect(answer.json).toHaveLength(1);
  });

  test('keeps its index when only an index it shares has risen', async () => {
    const { call, api } = await started();
    await call('PUT', '/v1/agent/service/register', { Name: 'a', Check: { TTL: '10m' } });
    const before = index(await call('GET', '/v1/catalog/service/a'));
    const waiting = call('GET', `/v1/catalog/service/a?index=${before}&wait=300ms`);
    await eventually(() => expect(api.waiting).toBe(1));
    await call('PUT', '/v1/agent/check/pass/service:a');
    expect(index(await waiting)).toBe(before);
    expect(index(await call('GET', '/v1/catalog/service/a'))).toBeGreaterThan(before);
  });

  test('with an index from the future waits too, and is told the lower one', async () => {
    const { call } = await started();
    const before = index(await call('GET', '/v1/catalog/services'));
    const began = performance.now();
    const answer = await call('GET', '/v1/catalog/services?index=18446744073709551615&wait=200ms');
    expect(performance.now() - began).toBeGreaterThan(190);
    expect(index(answer)).toBe(before);
  });

  test('without an index answers at once, whatever the wait', async () => {
    const { call } = await started();
    expect((await call('GET', '/v1/catalog/services?wait=10m')).status).toBe(200);
    expect((await call('GET', '/v1/catalog/services?index=0&wait=10m')).status).toBe(200);
  });

  test('leaves nothing behind when its client goes away', async () => {
    const { base, call, api } = await started();
    const before = index(await call('GET', '/v1/catalog/services'));
    const leaving = new AbortController();
    const gone = fetch(`${base}/v1/catalog/services?index=${before}&wait=10m`, { signal: leaving.signal });
    await eventually(() => expect(api.waiting).toBe(1));
    leaving.abort();
    await expect(gone).rejects.toThrow();
    await eventually(() => expect(api.waiting).toBe(0));
  });

  test('is refused when too many wait already', async () => {
    const { call, api } = await started({ parkedQueries: 1 });
    const before = index(await call('GET', '/v1/catalog/services'));
    const waiting = call('GET', `/v1/catalog/services?index=${before}&wait=1m`);
    await eventually(() => expect(api.waiting).toBe(1));
    const refused = await call('GET', `/v1/catalog/services?index=${before}&wait=1m`);
    expect(refused.status).toBe(429);
    await call('PUT', '/v1/agent/service/register', { Name: 'a' });
    expect((await waiting).status).toBe(200);
  });

  test('on the hash of an instance waits for its definition to change', async () => {
    const { call, api } = await started();
    await call('PUT', '/v1/agent/service/register', { Name: 'a' });
    const known = await call('GET', '/v1/agent/service/a');
    const hash = known.headers.get('x-consul-contenthash');
    expect(known.json).toMatchObject({ ContentHash: hash });
    expect((await call('GET', '/v1/agent/service/a?hash=other&wait=1m')).json).toEqual(known.json);

    const waiting = call('GET', `/v1/agent/service/a?hash=${hash}&wait=1m`);
    await eventually(() => expect(api.waiting).toBe(1));
    await call('PUT', '/v1/agent/service/register', { Name: 'b' });
    await call('PUT', '/v1/agent/service/register', { Name: 'a', Port: 1 });
    expect((await waiting).json).toMatchObject({ ID: 'a', Port: 1 });
  });
});
