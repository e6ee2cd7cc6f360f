import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startApp } from '../../helpers/app.ts';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

const NOBODY = '00000000-0000-0000-0000-000000000000';

describe('sessions', () => {
  let under: ConsulApiUnderTest;
  beforeEach(async () => {
    under = await startConsulApi();
  });
  afterEach(() => under.close());

  const call: ConsulApiUnderTest['call'] = (...args) => under.call(...args);

  async function created(body?: unknown): Promise<string> {
    const { status, json } = await call('PUT', '/v1/session/create', body);
    expect(status).toBe(200);
    return (json as { ID: string }).ID;
  }

  async function shown(id: string): Promise<string> {
    const { text } = await call('GET', `/v1/session/info/${id}`);
    return text.replaceAll(/Index":\d+/g, 'Index":N');
  }

  test('are shown with their fields in the order of Consul', async () => {
    const id = await created();
    expect(await shown(id)).toBe(
      `[{"ID":"${id}","Name":"","Node":"lb-1","LockDelay":15000000000,"Behavior":"release","TTL":"",` +
        '"NodeChecks":["serfHealth"],"ServiceChecks":null,"CreateIndex":N,"ModifyIndex":N}]',
    );
    const service = { Name: 'web', Check: { CheckID: 'c', TTL: '1h', Status: 'passing' } };
    await call('PUT', '/v1/agent/service/register', service);
    const full = await created({
      ...{ Name: 'n<', Node: 'LB-1', LockDelay: '1.5s', Behavior: 'delete', TTL: '1m30s' },
      ...{ NodeChecks: ['serfHealth'], ServiceChecks: [{ ID: 'c' }], Checks: ['c'] },
    });
    expect(await shown(full)).toBe(
      `[{"ID":"${full}","Name":"n\\u003c","Node":"LB-1","LockDelay":1500000000,"Behavior":"delete","TTL":"1m30s",` +
        '"NodeChecks":["serfHealth"],"ServiceChecks":[{"ID":"c","Namespace":""}],"Checks":["c"],' +
        '"CreateIndex":N,"ModifyIndex":N}]',
    );
  });

  test.each<[object, string[] | null, string[] | undefined]>([
    [{ Checks: [] }, [], undefined],
    [{ NodeChecks: [] }, [], undefined],
    [{ NodeChecks: [], Checks: ['other'] }, [], undefined],
    [{ Checks: ['serfHealth'] }, ['serfHealth'], undefined],
    [{ Checks: ['other'] }, ['serfHealth'], ['other']],
    [{ nodechecks: ['OTHER'] }, ['OTHER'], undefined],
  ])('made with %o have the checks of Consul', async (body, NodeChecks, Checks) => {
    await call('PUT', '/v1/agent/check/register', { Name: 'other', TTL: '1h', Status: 'passing' });
    const { json } = await call('GET', `/v1/session/info/${await created(body)}`);
    const [session] = json as { NodeChecks: unknown; Checks?: unknown }[];
    expect([session?.NodeChecks, session?.Checks]).toEqual([NodeChecks, Checks]);
  });

  test.each<[unknown, number]>([
    ['0s', 0],
    [0, 0],
    [7, 7_000_000_000],
    [999, 999_000_000_000],
    [1000, 1000],
    ['999ns', 999_000_000_000],
    ['1us', 1000],
    [2.5e9, 2_500_000_000],
    [null, 15_000_000_000],
  ])('take a lock delay of %o', async (LockDelay, nanoseconds) => {
    const { json } = await call('GET', `/v1/session/info/${await created({ LockDelay })}`);
    expect(json).toMatchObject([{ LockDelay: nanoseconds }]);
  });

  test.each<[unknown, number, string]>([
    [{ TTL: '9.999s' }, 500, "Invalid Session TTL '9999000000', must be between [10s=24h0m0s]"],
    [{ TTL: '24h0m0.1s' }, 500, "Invalid Session TTL '86400100000000', must be between [10s=24h0m0s]"],
    [{ TTL: '-10s' }, 500, "Invalid Session TTL '-10000000000', must be between [10s=24h0m0s]"],
    [{ TTL: '10' }, 500, `Session TTL '10' invalid: time: missing unit in duration "10"`],
    [{ TTL: 10 }, 400, 'Request decode failed: json: cannot unmarshal number 10 into Go struct field'],
    [{ Behavior: 'keep' }, 500, "Invalid Behavior setting 'keep'"],
    [{ Node: 'nope' }, 500, 'Missing node registration'],
    [{ Node: '' }, 500, 'Must provide Node'],
    [{ NodeChecks: ['nope'] }, 500, "Missing check 'nope' registration"],
    [{ LockDelay: 'x' }, 400, 'Request decode failed: time: invalid duration "x"'],
    ['{', 400, 'Request decode failed: unexpected EOF'],
  ])('made with %o are refused', async (body, status, text) => {
    const answer = await call('PUT', '/v1/session/create', body);
    expect([answer.status, answer.text.slice(0, text.length)]).toEqual([status, text]);
    expect((await call('GET', '/v1/session/list')).json).toEqual([]);
  });

  test('are listed, of all nodes or of one, with an index', async () => {
    await call('PUT', '/v1/catalog/register', { Node: 'ext', Address: '10.0.0.9' });
    const here = await created();
    const there = await created({ Node: 'ext', NodeChecks: [] });
    const ids = async (path: string) => {
      const { json, headers } = await call('GET', `/v1/session/${path}`);
      expect(Number(headers.get('x-consul-index'))).toBeGreaterThan(1);
      return (json as { ID: string }[]).map(({ ID }) => ID);
    };
    expect(await ids('list')).toEqual([here, there].sort());
    expect(await ids('node/EXT')).toEqual([there]);
    expect(await ids('node/none')).toEqual([]);
    await call('PUT', '/v1/catalog/deregister', { Node: 'ext' });
    expect(await ids('list')).toEqual([here]);
  });

  test('are renewed, and an unknown one is not', async () => {
    const id = await created({ TTL: '10s' });
    const { json, headers } = await call('PUT', `/v1/session/renew/${id}`);
    expect(json).toMatchObject([{ ID: id, TTL: '10s' }]);
    expect(headers.get('x-consul-index')).toBeNull();
    const unknown = await call('PUT', `/v1/session/renew/${NOBODY}`);
    expect([unknown.status, unknown.text]).toEqual([404, `Session id '${NOBODY}' not found`]);
  });

  test.each(['destroy', 'renew', 'info'])('%s wants an id, and one that is an id', async (what) => {
    const method = what === 'info' ? 'GET' : 'PUT';
    const missing = await call(method, `/v1/session/${what}/`);
    expect([missing.status, missing.text]).toEqual([400, 'Missing session']);
    const wrong = await call(method, `/v1/session/${what}/nope`);
    const text = 'failed session lookup: index error: UUID must be 36 characters';
    expect([wrong.status, wrong.text]).toEqual([500, text]);
  });

  test('of an unknown id are destroyed all the same', async () => {
    expect((await call('PUT', `/v1/session/destroy/${NOBODY}`)).text).toBe('true');
  });
});

describe('after a restart', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'vane-kv-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  test('keys, sessions and locks are what they were', async () => {
    let id = '';
    let before: unknown[] = [];
    const read = async (registry: string) =>
      Promise.all(
        ['kv/?recurse', 'session/list'].map(async (path) => (await fetch(`${registry}/v1/${path}`)).json()),
      );
    {
      await using vane = await startApp('', dataDir);
      const put = async (path: string, body: string) =>
        (await fetch(`${vane.registry}/v1/${path}`, { method: 'PUT', body })).json();
      const { ID } = (await put('session/create', '{"TTL": "30s"}')) as { ID: string };
      id = ID;
      expect(await put('kv/a/b?flags=18446744073709551615', 'x')).toBe(true);
      expect(await put(`kv/lock?acquire=${id}`, 'me')).toBe(true);
      before = await read(vane.registry);
    }
    await using vane = await startApp('', dataDir);
    expect(await read(vane.registry)).toEqual(before);
    const other = await fetch(`${vane.registry}/v1/session/create`, { method: 'PUT' });
    const { ID } = (await other.json()) as { ID: string };
    const put = async (path: string) =>
      (await fetch(`${vane.registry}/v1/${path}`, { method: 'PUT', body: 'y' })).text();
    expect(await put(`kv/lock?acquire=${ID}`)).toBe('false');
    expect(await put(`kv/lock?release=${id}`)).toBe('true');
    expect(await put(`kv/lock?acquire=${ID}`)).toBe('true');
  });
});
