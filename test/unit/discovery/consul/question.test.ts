import { expect, test } from 'vitest';
import { nameOf, parseQuestion, pathOf, srvName } from '../../../../src/discovery/consul/question.ts';

test.each<[string, string | undefined, string | undefined]>([
  ['web.service.consul', '/v1/health/service/web?stale', '_web._tcp.service.consul'],
  ['v1.web.service.consul', '/v1/health/service/web?stale', '_web._v1.service.consul'],
  ['a.b.web.service.consul', '/v1/health/service/web?stale', undefined],
  ['_web._tcp.service.consul', '/v1/health/service/web?stale', '_web._tcp.service.consul'],
  ['_web._tcp.consul', '/v1/health/service/web?stale', '_web._tcp.consul'],
  ['web.service.dc2.consul', '/v1/health/service/web?stale&dc=dc2', '_web._tcp.service.dc2.consul'],
  ['rack.2.node.consul', '/v1/catalog/node/rack.2?stale', undefined],
  ['near.query.dc2.consul', '/v1/query/near/execute?stale&dc=dc2', undefined],
  ['web.service.example.com', undefined, undefined],
  ['consul', undefined, undefined],
])('%s is asked for as %s', (name, path, srv) => {
  const question = parseQuestion(name);
  expect(question && pathOf(question, undefined)).toBe(path);
  expect(srvName(name)).toBe(srv);
});

test('the datacenter of the section is for names that say none', () => {
  const paths = ['web.service.consul', 'web.service.dc2.consul'].map((name) => {
    const question = parseQuestion(name);
    return question && pathOf(question, 'dc9');
  });
  expect(paths).toEqual(['/v1/health/service/web?stale&dc=dc9', '/v1/health/service/web?stale&dc=dc2']);
});

test('names are told apart in metrics', () => {
  const names = ['web.service.consul', 'lb.node.dc2.consul', 'q.query.consul'].map((name) => {
    const question = parseQuestion(name);
    return question && nameOf(question);
  });
  expect(names).toEqual(['service web', 'node lb dc2', 'query q']);
});
