import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessRig, startAccessRig, type Who } from './access-rig.ts';

let consul: AccessRig;
const as: AccessRig['as'] = (...request) => consul.as(...request);
const put = (who: Who, path: string, body?: unknown) => as(who, 'PUT', path, body);

beforeAll(async () => {
  consul = await startAccessRig();
});
afterAll(() => consul.close());

const SERVICE = (Name: string, ID: string) => ({ Name, ID });
const ON = (Node: string, Service?: object, Check?: object) => ({
  Node,
  Address: '127.0.0.9',
  Service,
  Check,
});
const DENIED = 'Permission denied';

describe('writes', () => {
  test.each<[string, string, unknown?]>([
    ['PUT', '/v1/agent/service/register', SERVICE('db', 'db-2')],
    ['PUT', '/v1/agent/service/register', SERVICE('webs', 'webs')],
    ['PUT', '/v1/agent/service/register', SERVICE('web', 'db-1')],
    ['PUT', '/v1/agent/service/register', SERVICE('web', 'DB-1')],
    ['PUT', '/v1/agent/service/register', { Name: 'web', Check: { CheckID: 'db-ttl', TTL: '1h' } }],
    ['PUT', '/v1/agent/service/deregister/db-1'],
    ['PUT', '/v1/agent/service/maintenance/db-1?enable=true'],
    ['PUT', '/v1/agent/maintenance?enable=true'],
    ['PUT', '/v1/agent/check/register', { Name: 'of-node', TTL: '1h' }],
    ['PUT', '/v1/agent/check/register', { Name: 'more', ServiceID: 'db-1', TTL: '1h' }],
    ['PUT', '/v1/agent/check/register', { ID: 'db-ttl', Name: 'mine', ServiceID: 'web-1', TTL: '1h' }],
    ['PUT', '/v1/agent/check/deregister/db-ttl'],
    ['PUT', '/v1/agent/check/pass/db-ttl'],
    ['PUT', '/v1/agent/check/update/db-ttl', { Status: 'passing' }],
    ['PUT', '/v1/agent/leave'],
    ['PUT', '/v1/agent/reload'],
    ['PUT', '/v1/agent/force-leave/lb-1'],
    ['GET', '/v1/agent/host'],
    ['PUT', '/v1/snapshot', 'x'],
    ['PUT', '/v1/event/fire/deploy', 'x'],
    ['PUT', '/v1/catalog/register', ON('other')],
    ['PUT', '/v1/catalog/register', ON('ext-1', { Service: 'db' })],
    ['PUT', '/v1/catalog/register', ON('lb-1', { Service: 'web', ID: 'db-1' })],
    ['PUT', '/v1/catalog/register', ON('lb-1', undefined, { Name: 'of-node', Status: 'critical' })],
    [
      'PUT',
      '/v1/catalog/register',
      ON('lb-1', undefined, { Name: 'x', ServiceID: 'db-1', ServiceName: 'web' }),
    ],
    ['PUT', '/v1/catalog/deregister', { Node: 'lb-1' }],
    ['PUT', '/v1/catalog/deregister', { Node: 'other' }],
    ['PUT', '/v1/catalog/deregister', { Node: 'lb-1', ServiceID: 'db-1' }],
    ['PUT', '/v1/catalog/deregister', { Node: 'lb-1', CheckID: 'db-ttl' }],
    ['PUT', '/v1/kv/db', 'x'],
    ['PUT', '/v1/kv/web', 'x'],
    ['DELETE', '/v1/kv/db'],
    ['DELETE', '/v1/kv/?recurse'],
    ['DELETE', '/v1/kv/web?recurse'],
    ['POST', '/v1/query', { Name: 'db', Service: { Service: 'web' } }],
    ['POST', '/v1/query', { Name: 'web-q', Service: { Service: 'db' } }],
  ])('%s %s %j: not with a token for something else', async (method, path, body) => {
    const before = consul.registry.catalog.index;
    expect(await as('web', method, path, body)).toMatchObject({ status: 403, text: DENIED });
    expect(consul.registry.catalog.index).toBe(before);
  });

  test.each<[string, string, unknown?]>([
    ['PUT', '/v1/agent/service/register', { Name: 'web-b', Check: { TTL: '1h' } }],
    ['PUT', '/v1/agent/service/register', { Name: 'WEB-B', ID: 'web-b' }],
    ['PUT', '/v1/agent/check/update/service:web-b', { Status: 'passing' }],
    ['PUT', '/v1/agent/check/register', { Name: 'more', ServiceID: 'web-b', TTL: '1h' }],
    ['PUT', '/v1/agent/service/maintenance/web-b?enable=true'],
    ['PUT', '/v1/agent/service/deregister/web-b'],
    ['PUT', '/v1/agent/service/deregister/not-there'],
    ['PUT', '/v1/catalog/register', ON('ext-1', { Service: 'web' }, { Name: 'of-node', Status: 'passing' })],
    ['PUT', '/v1/catalog/register', ON('lb-1', { Service: 'web', ID: 'web-c' })],
    ['PUT', '/v1/catalog/deregister', { Node: 'lb-1', ServiceID: 'web-c' }],
    ['PUT', '/v1/catalog/deregister', { Node: 'ext-1' }],
    ['PUT', '/v1/kv/web/two', 'x'],
    ['DELETE', '/v1/kv/web/two?recurse'],
    ['POST', '/v1/query', { Name: 'web-q', Service: { Service: 'web' } }],
    ['PUT', '/v1/session/create', { Name: 'mine' }],
  ])('%s %s %j: with the token for it', async (method, path, body) => {
    expect(await as('web', method, path, body)).toMatchObject({ status: 200 });
  });

  test.each<[Who, number]>([
    ['operator', 200],
    ['writer', 200],
    ['reader', 403],
    ['nobody', 403],
  ])('%s: %i', async (who, status) => {
    expect((await put(who, '/v1/kv/any', 'x')).status).toBe(status);
    expect((await put(who, '/v1/session/create', {})).status).toBe(status);
    expect((await put(who, '/v1/agent/service/register', { Name: 'any' })).status).toBe(status);
    expect((await put(who, '/v1/agent/service/deregister/any')).status).toBe(status);
  });

  test('a prepared query is changed by who may have it both before and after', async () => {
    const create = async (who: Who, name: string, service: string) => {
      const answer = await as(who, 'POST', '/v1/query', { Name: name, Service: { Service: service } });
      return String(Object(answer.json).ID);
    };
    const query = (Name: string) => ({ Name, Service: { Service: 'web' } });
    const [own, others] = [await create('web', 'web-own', 'web'), await create('operator', 'others', 'web')];
    expect((await put('web', `/v1/query/${own}`, query('others-too'))).status).toBe(403);
    expect((await put('web', `/v1/query/${others}`, query('web-taken'))).status).toBe(403);
    expect((await as('web', 'DELETE', `/v1/query/${others}`)).status).toBe(403);
    expect((await put('web', `/v1/query/${own}`, query('web-new'))).status).toBe(200);
    expect((await as('web', 'DELETE', `/v1/query/${own}`)).status).toBe(200);
  });

  test('a node does not lose its name to one with its id', async () => {
    const ID = 'b0c1a3c4-5ad1-4f08-93e8-5f4b3c1e7a11';
    expect((await put('operator', '/v1/catalog/register', { ...ON('named'), ID })).status).toBe(200);
    expect((await put('web', '/v1/catalog/register', { ...ON('ext-thief'), ID })).status).toBe(403);
    const op = { Node: { Verb: 'set', Node: { Node: 'ext-thief', Address: '127.0.0.9', ID } } };
    expect((await put('web', '/v1/txn', [op])).status).toBe(409);
    expect((await put('operator', '/v1/catalog/deregister', { Node: 'named' })).status).toBe(200);
  });

  test('a session that holds the key of somebody else is not ended', async () => {
    const created = await put('operator', '/v1/session/create', { LockDelay: '0s' });
    const id = String(Object(created.json).ID);
    expect((await put('operator', `/v1/kv/db/leader?acquire=${id}`, 'x')).text).toBe('true');
    expect(await put('web', `/v1/session/destroy/${id}`)).toMatchObject({ status: 403 });
    expect(await put('web', `/v1/session/destroy/${id.toUpperCase()}`)).toMatchObject({ status: 403 });
    expect(await put('operator', `/v1/session/destroy/${id}`)).toMatchObject({ status: 200 });
  });

  test.each([
    ['/v1/snapshot', 'web'],
    ['/v1/kv/web/large', 'reader'],
    ['/v1/kv/web/large', 'stranger'],
  ])('to %s by %s are refused before what is to be written has come', async (path, token) => {
    const answered = new Promise((resolve, reject) => {
      const headers = { 'X-Consul-Token': token, 'Content-Length': '100000' };
      const asked = request(consul.base + path, { method: 'PUT', headers }, (answer) => {
        resolve(answer.statusCode);
        asked.destroy();
      });
      asked.once('error', reject).write('x');
    });
    expect(await answered).toBe(403);
  });

  test('the process is for the operator', async () => {
    expect((await put('operator', '/v1/agent/force-leave/lb-1')).status).toBe(200);
    expect((await put('operator', '/v1/agent/reload')).status).toBe(501);
    expect((await put('operator', '/v1/agent/leave')).status).toBe(501);
  });
});

describe('transactions', () => {
  const kv = (Verb: string, Key: string) => ({ KV: { Verb, Key } });

  test.each<[string, object[], number[]]>([
    ['writes another key', [kv('set', 'web/a'), kv('set', 'db')], [1]],
    ['removes more than its keys', [kv('delete-tree', 'we')], [0]],
    ['checks another key', [kv('check-not-exists', 'db/none')], [0]],
    ['writes another node', [{ Node: { Verb: 'set', Node: { Node: 'n', Address: '127.0.0.9' } } }], [0]],
    [
      'replaces an instance',
      [{ Service: { Verb: 'set', Node: 'lb-1', Service: { ID: 'db-1', Service: 'web' } } }],
      [0],
    ],
    [
      'removes an instance',
      [{ Service: { Verb: 'delete', Node: 'lb-1', Service: { ID: 'db-1', Service: 'web' } } }],
      [0],
    ],
    ['reads an instance', [{ Service: { Verb: 'get', Node: 'lb-1', Service: { ID: 'db-1' } } }], [0]],
    [
      'adds a check to another instance',
      [{ Check: { Verb: 'set', Check: { Node: 'lb-1', CheckID: 'x', Name: 'x', ServiceID: 'db-1' } } }],
      [0],
    ],
    ['removes a check', [{ Check: { Verb: 'delete', Check: { Node: 'lb-1', CheckID: 'db-ttl' } } }], [0]],
    ['reads a check', [{ Check: { Verb: 'get', Check: { Node: 'lb-1', CheckID: 'db-ttl' } } }], [0]],
  ])('one that %s is refused as a whole', async (_name, ops, wrong) => {
    const before = consul.registry.catalog.index;
    const answer = await put('web', '/v1/txn', ops);
    const errors = wrong.map((OpIndex) => ({ OpIndex, What: DENIED }));
    expect(answer).toMatchObject({ status: 409, json: { Results: null, Errors: errors } });
    expect(consul.registry.catalog.index).toBe(before);
  });

  test('keys that may not be seen are left out of what is read', async () => {
    const answer = await put('web', '/v1/txn', [
      kv('get-tree', 'db'),
      kv('get', 'db'),
      kv('get-tree', 'web'),
    ]);
    const keys = Object(answer.json).Results.map((row: object) => Object(row).KV.Key);
    expect(keys).toEqual(['web/one']);
  });

  test('reading takes no right to write; nobody may do even that', async () => {
    expect((await put('reader', '/v1/txn', [kv('get', 'db')])).status).toBe(200);
    expect((await put('reader', '/v1/txn', [kv('set', 'db')])).status).toBe(409);
    const noSuch = { Service: { Verb: 'delete', Node: 'lb-1', Service: { ID: 'not-there' } } };
    expect((await put('web', '/v1/txn', [noSuch])).status).toBe(200);
    expect((await put('reader', '/v1/txn', [noSuch])).status).toBe(409);
    const node = { Node: { Verb: 'get', Node: { Node: 'lb-1' } } };
    expect((await put('reader', '/v1/txn', [node])).status).toBe(200);
    expect((await put('nobody', '/v1/txn', [node])).status).toBe(409);
    expect((await put('nobody', '/v1/txn', [kv('get', 'db')])).status).toBe(409);
  });
});
