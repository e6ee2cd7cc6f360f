import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileCondition } from '../../../../src/proxy/rules/condition.ts';
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

test('of many rules, whatever they look at, the first that holds decides', () => {
  const paths = ['/', '/a', '/A', '/a/', '/ab', '/b?a'];
  const hosts = ['a', 'A', 'b.example', ''];
  const pattern = fc.constantFrom('/', '/a', '/A', '/a/', '/ab', '/b', 'a', 'b.example', '/\u00e9');
  const term = fc
    .tuple(
      fc.constantFrom('', '!'),
      fc.constantFrom('path', 'path_beg', 'path_end', 'url', 'url_beg', 'hdr(host)', 'hdr_beg(host)'),
      fc.constantFrom('', ' -i'),
      fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
    )
    .map(([not, fetch, flag, patterns]) => `${not}{ ${fetch}${flag} ${patterns.join(' ')} }`);
  const group = fc.array(term, { minLength: 1, maxLength: 2 }).map((terms) => terms.join(' '));
  const condition = fc
    .tuple(fc.constantFrom('if', 'if', 'if', 'unless'), fc.array(group, { minLength: 1, maxLength: 2 }))
    .map(([word, groups]) => `${word} ${groups.join(' || ')}`);
  const rules = fc.array(fc.oneof({ weight: 9, arbitrary: condition }, fc.constant('')), { maxLength: 12 });
  fc.assert(
    fc.property(
      rules,
      fc.constantFrom(...paths),
      fc.array(fc.constantFrom(...hosts), { maxLength: 2 }),
      (all, path, values) => {
        const config = frontendConfig({
          useBackend: all.map((rule, i) => parseUse(`b${i} ${rule}`)),
          defaultBackend: 'web',
        });
        const head = requestHead(
          'GET',
          path,
          values.map((value): [string, string] => ['Host', value]),
        );
        const asked = { src: '192.0.2.7', head };
        const expected = config.useBackend.find((rule) => compileCondition(rule.condition)(asked));
        expect(compileRoute(config)(asked)).toBe(expected?.backend ?? 'web');
      },
    ),
    { numRuns: 500 },
  );
});

test('a rule that a lookup can rule out is not asked in vain', () => {
  const many = Array.from({ length: 1000 }, (_, i) => parseUse(`b${i} if { path_beg /r${i}/ }`));
  const route = compileRoute(frontendConfig({ useBackend: many, defaultBackend: 'web' }));
  let asked = 0;
  const head = requestHead('GET', '/r999/x');
  const counted = new Proxy(head, {
    get(target, key, receiver) {
      if (key === 'path') asked++;
      return Reflect.get(target, key, receiver);
    },
  });
  expect(route({ src: '192.0.2.7', head: counted })).toBe('b999');
  expect(asked).toBeLessThan(10);
});
