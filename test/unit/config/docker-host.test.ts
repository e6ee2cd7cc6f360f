import { expect, test } from 'vitest';
import { parseDockerHost } from '../../../src/config/docker-host.ts';

test.each<[string, object | undefined]>([
  ['unix:///var/run/docker.sock', { at: { socketPath: '/var/run/docker.sock' }, basePath: '' }],
  ['tcp://127.0.0.1:2375', { at: { host: '127.0.0.1', port: 2375 }, basePath: '' }],
  ['tcp://engine.internal:2375/', { at: { host: 'engine.internal', port: 2375 }, basePath: '' }],
  ['tcp://[::1]:2375/v1.41/', { at: { host: '::1', port: 2375 }, basePath: '/v1.41' }],
  ['', undefined],
  ['/var/run/docker.sock', undefined],
  ['unix://', undefined],
  ['unix://docker.sock', undefined],
  ['tcp://127.0.0.1', undefined],
  ['tcp://127.0.0.1:0', undefined],
  ['tcp://127.0.0.1:65536', undefined],
  ['tcp://:2375', undefined],
  ['tcp://::1:2375', undefined],
  ['http://127.0.0.1:2375', undefined],
  ['ssh://root@engine', undefined],
])('%j is the Docker Engine at %j', (text, endpoint) => {
  const read = parseDockerHost(text);
  expect(read.ok ? read.value : undefined).toEqual(endpoint);
});
