import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

const WEB = '/v1/health/service/web';
let under: ConsulApiUnderTest;

beforeAll(async () => {
  under = await startConsulApi();
  for (const ID of ['web-1', 'web-2']) await register(ID);
});
afterAll(() => under.close());

function register(ID: string, Tags: readonly string[] = [], Name = 'web') {
  const Check = { TTL: '10m', Status: ID === 'web-2' ? 'critical' : 'passing' };
  return under.call('PUT', '/v1/agent/service/register', { ID, Name, Tags, Check });
}

async function idsOf(path: string): Promise<string[]> {
  const { json } = await under.call('GET', path);
  return (json as { Service: { ID: string } }[]).map(({ Service }) => Service.ID);
}

test('an answer that was given before is not given for another question', async () => {
  expect(await idsOf(WEB)).toEqual(['web-1', 'web-2']);
  expect(await idsOf(`${WEB}?passing`)).toEqual(['web-1']);
  expect(await idsOf(WEB)).toEqual(['web-1', 'web-2']);
  expect(await idsOf(`${WEB}?tag=blue`)).toEqual([]);
  expect(await idsOf(`${WEB}?filter=${encodeURIComponent('Service.ID == "web-2"')}`)).toEqual(['web-2']);
  expect(await idsOf('/v1/health/service/WEB')).toEqual(['web-1', 'web-2']);
  expect(await idsOf('/v1/health/service/none')).toEqual([]);
});

test('indented answers are indented, whoever asked before', async () => {
  await idsOf(WEB);
  expect((await under.call('GET', `${WEB}?pretty`)).text).toMatch(/^\[\n {4}\{\n/);
  expect((await under.call('GET', WEB)).text).not.toContain('\n');
});

test('each change is in the next answer: of the instance, a check and the list', async () => {
  const texts = new Set<string>();
  const look = async () => texts.add((await under.call('GET', WEB)).text);
  await look();
  await register('web-1', ['blue']);
  await look();
  await under.call('PUT', '/v1/agent/check/warn/service:web-1?note=slow');
  await look();
  await under.call('PUT', '/v1/agent/service/deregister/web-1');
  await look();
  await register('web-1');
  await look();
  expect(texts.size).toBe(5);
});

test('watchers of one service are all woken with the same answer', async () => {
  const { headers } = await under.call('GET', WEB);
  const index = headers.get('x-consul-index');
  const waiting = Array.from({ length: 20 }, () => under.call('GET', `${WEB}?index=${index}&wait=30s`));
  await register('web-3', ['<green>']);
  const answers = new Set((await Promise.all(waiting)).map(({ text }) => text));
  expect(answers.size).toBe(1);
  expect([...answers][0]).toContain('"\\u003cgreen\\u003e"');
});

test('what is compressed for one is what all others get', async () => {
  for (let i = 0; i < 5; i++) await register(`web-1${i}`);
  const plain = await under.call('GET', WEB);
  for (let i = 0; i < 2; i++) {
    // Node's fetch would take the compression away without a word.
    const body = await new Promise<Buffer>((resolve, reject) => {
      const headers = { 'Accept-Encoding': 'gzip' };
      request(under.base + WEB, { headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('end', () => resolve(Buffer.concat(chunks)));
      })
        .once('error', reject)
        .end();
    });
    expect(gunzipSync(body).toString()).toBe(plain.text);
  }
});
