import { expect, test } from 'vitest';
import { compileRoute } from '../../../../src/proxy/rules/route.ts';
import { frontendConfig, parseUse, requestHead } from '../fixtures.ts';

const useBackend = [
  parseUse('api if is_api', { is_api: ['path_beg /api/'] }),
  parseUse('local if LOCALHOST'),
  parseUse('files if { path_end .png } or { path_beg /api/files }'),
];

const sample = (target: string, src = '192.0.2.7') => ({ src, head: requestHead('GET', target) });

test('the first rule whose condition holds decides', () => {
  const route = compileRoute(frontendConfig({ useBackend, defaultBackend: 'web' }));
  expect(route(sample('/api/x'))).toBe('api');
  expect(route(sample('/api/files'))).toBe('api');
  expect(route(sample('/a.png'))).toBe('files');
  expect(route(sample('/a.png', '127.0.0.1'))).toBe('local');
});

test('without one the default backend is used, if there is one', () => {
  expect(compileRoute(frontendConfig({ useBackend, defaultBackend: 'web' }))(sample('/'))).toBe('web');
  expect(
    compileRoute(frontendConfig({ useBackend, defaultBackend: undefined }))(sample('/')),
  ).toBeUndefined();
});

test('a rule without a condition ends the search', () => {
  const route = compileRoute(frontendConfig({ useBackend: [parseUse('all'), ...useBackend] }));
  expect(route(sample('/api/x'))).toBe('all');
});

test('connections without a request are routed by their client', () => {
  const route = compileRoute(frontendConfig({ useBackend, defaultBackend: 'web' }));
  expect(route({ src: '127.0.0.1', head: undefined })).toBe('local');
  expect(route({ src: '192.0.2.7', head: undefined })).toBe('web');
});
