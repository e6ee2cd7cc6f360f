import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { accessWith } from '../../helpers/tokens.ts';

// The pages below /ui/: what is registered, as far as a client may see it.

const EVIL = '"><script>alert(1)</script>';
const OPERATOR = { 'X-Consul-Token': 'operator' };

let site: ConsulApiUnderTest;

beforeAll(async () => {
  site = await startConsulApi({
    access: accessWith({ operator: { policy: 'admin' }, reader: { policy: 'read', services: ['web'] } }),
  });
  const register = async (service: object) => {
    expect((await site.call('PUT', '/v1/agent/service/register', service, OPERATOR)).status).toBe(200);
  };
  const check = (id: string, status: string) => ({ CheckID: id, Name: id, TTL: '1h', Status: status });
  await register({ ID: 'web-1', Name: 'web', Port: 81, Check: check('alive', 'passing') });
  await register({ ID: 'web-2', Name: 'web', Port: 82, Tags: ['green'], Check: check('disk', 'passing') });
  await register({ ID: 'api-1', Name: 'api', Address: '::1', Port: 83, Tags: [EVIL] });
  const failed = await site.call(
    'PUT',
    '/v1/agent/check/fail/disk?note=disk%20full%20<b>',
    undefined,
    OPERATOR,
  );
  expect(failed.status).toBe(200);
});

afterAll(() => site.close());

/** What a reader sees. */
async function shown(path: string, headers: Readonly<Record<string, string>> = OPERATOR) {
  const answer = await site.call('GET', path, undefined, headers);
  const words = answer.text
    .replace(/<style>.*<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
  return { ...answer, words };
}

test('services are listed with how their instances are', async () => {
  const { status, headers, words } = await shown('/ui/');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(words).toContain('web 2 1 1 green');
  expect(words).toContain('api 1 1');
});

test('a service has its instances, and what their checks last said', async () => {
  const { words } = await shown('/ui/services/web');
  expect(words).toContain('web-1 127.0.0.1:81 lb-1 passing');
  expect(words).toContain('web-2 127.0.0.1:82 lb-1 critical');
  expect(words).toContain('critical disk disk full &#60;b&#62;');
  expect((await shown('/ui/services/api')).words).toContain('api-1 [::1]:83');
});

test('nodes are listed, and each has its instances and checks', async () => {
  expect((await shown('/ui/nodes')).words).toContain('lb-1 127.0.0.1 passing');
  const { words } = await shown('/ui/nodes/lb-1');
  expect(words).toContain('web-2 web 127.0.0.1:82 critical critical disk');
  expect(words).toMatch(/passing \S.* Instance Service/);
});

test.each(['/ui/services/none', '/ui/nodes/none', '/ui/nothing'])(
  '%s is not found, and says so',
  async (path) => {
    const { status, words } = await shown(path);
    expect(status).toBe(404);
    expect(words).toContain('is not registered, or not for you to see.');
  },
);

test('without the last slash it leads there', async () => {
  const answer = await fetch(`${site.base}/ui`, { redirect: 'manual', headers: OPERATOR });
  expect([answer.status, answer.headers.get('location')]).toEqual([301, '/ui/']);
});

describe('the pages are safe', () => {
  test('what was registered cannot become markup', async () => {
    for (const path of ['/ui/', '/ui/services/api', `/ui/services/${encodeURIComponent(EVIL)}`]) {
      const { text } = await shown(path);
      expect(text).not.toMatch(/<script/i);
      expect(text).toContain('&#60;script&#62;');
    }
  });

  test('nothing is loaded or run, and nobody frames them', async () => {
    const policy = (await shown('/ui/')).headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
  });

  test('a token sees what it may read', async () => {
    const token = { 'X-Consul-Token': 'reader' };
    const { words } = await shown('/ui/', token);
    expect(words).toContain('web 2');
    expect(words).not.toContain('api');
    expect((await shown('/ui/services/api', token)).status).toBe(404);
    const node = (await shown('/ui/nodes/lb-1', token)).words;
    expect(node).toContain('web-1');
    expect(node).not.toContain('api-1');
  });

  test('a token that counts for nothing sees nothing', async () => {
    expect((await shown('/ui/', { 'X-Consul-Token': 'made-up' })).status).toBe(403);
  });
});
