// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what is tested
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { expandVariables } from '../../../src/config/expand.ts';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';
import { ConfigError, formatProblems } from '../../../src/config/problem.ts';

const context = { env: {}, hostname: 'lb-1', cwd: '/' };

function errorOf(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('no problem was found');
}

function parse(text: string, env: Record<string, string> = {}) {
  return parseConfig([{ file: 'vane.yaml', text }], { ...context, env });
}

describe('variables', () => {
  const env = { HOST: '10.0.0.1', EMPTY: '', NESTED: '${HOST}' };
  const secret = (path: string) => {
    if (path !== '/run/secrets/token') throw new Error('no such file');
    return 's3cret ${HOST}';
  };
  test.each([
    ['${HOST}:80', '10.0.0.1:80'],
    ['${HOST}${HOST}', '10.0.0.110.0.0.1'],
    ['${EMPTY}', ''],
    ['${EMPTY:-x}', 'x'],
    ['${NONE:-x:y}', 'x:y'],
    ['${NONE:-}', ''],
    ['$${HOST}', '${HOST}'],
    ['${NESTED}', '${HOST}'],
    ['$HOST $ $$ {HOST}', '$HOST $ $$ {HOST}'],
    ['<${file:/run/secrets/token}>', '<s3cret ${HOST}>'],
  ])('%s', (source, text) => {
    expect(expandVariables(source, { env, secret }, () => expect.unreachable()).text).toBe(text);
  });

  test.each([
    ['a ${NONE}', 2, 'NONE is not set'],
    ['${constructor}', 0, 'constructor is not set'],
    ['a${HOST', 1, 'expected ${NAME}'],
    ['${}', 0, 'expected ${NAME}'],
    ['${1A}', 0, 'expected ${NAME}'],
    ['${HOST-x}', 0, 'expected ${NAME}'],
    ['a ${file:/none}', 2, '/none cannot be read: no such file'],
    ['${file:}', 0, 'expected ${NAME}'],
  ])('%s is refused', (source, offset, message) => {
    const reports: unknown[] = [];
    expandVariables(source, { env, secret }, (...report) => reports.push(report));
    expect(reports).toEqual([[offset, expect.stringContaining(message)]]);
  });

  test('a number from a variable is a number, unless it is quoted', () => {
    expect(parse('global:\n  maxconn: ${MAX}', { MAX: '77' }).global.maxconn).toBe(77);
    expect(parse('global:\n  node: "${NAME}"', { NAME: '77' }).global.node).toBe('77');
    expect(errorOf(() => parse('global:\n  maxconn: "${MAX}"', { MAX: '77' })).message).toContain(
      'a whole number',
    );
  });

  test('what comes after a variable is pointed at where the file has it', () => {
    // `nope` is the 41st character of its line.
    const text = 'frontends:\n  f:\n    bind: :80\n    http-request: deny if { path ${P} } nope';
    const [problem] = errorOf(() => parse(text, { P: '/a/long/path' })).problems;
    expect(problem).toMatchObject({ line: 4, column: 41 });
  });

  test('a secret comes from a file, without its last line feed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vane-secret-'));
    await writeFile(join(folder, 'node'), 'lb-7\n');
    const text = 'global:\n  node: ${file:node}\n  datacenter: ${file:none}';
    const load = (cwd: string, source: string) =>
      parseConfig([{ file: 'vane.yaml', text: source }], { ...context, cwd });
    expect(load(folder, 'global: { node: "${file:node}" }').global.node).toBe('lb-7');
    const [problem] = errorOf(() => load(folder, text)).problems;
    expect(problem).toMatchObject({ line: 3, column: 15, path: 'global.datacenter' });
    await rm(folder, { recursive: true });
  });

  test('a variable cannot add structure', () => {
    const { global } = parse('global:\n  data-dir: ${DIR}', { DIR: 'x\n  maxconn: 5' });
    expect(global).toMatchObject({ dataDir: '/x\n  maxconn: 5', maxconn: 20_000 });
  });

  test('every variable that is not set is told', () => {
    const text = 'global:\n  node: ${A}\n  datacenter: x${B}${C}';
    expect(errorOf(() => parse(text)).problems.map(({ line, column }) => [line, column])).toEqual([
      [2, 9],
      [3, 16],
      [3, 20],
    ]);
  });
});

describe('YAML', () => {
  test.each([
    ['two documents', '{}\n---\n{}', 'multiple documents'],
    ['nothing', '', 'the file is empty'],
    ['a comment', '# nothing\n', 'the file is empty'],
    ['text', 'hello', 'expected a mapping'],
    ['a list', '- a', 'expected a mapping'],
    ['an alias to nothing', 'backends: *web', 'no &web comes before *web'],
    ['a merge key', 'backends:\n  web: { <<: 5, servers: [a.service.consul] }', 'unknown key'],
    ['a mapping as key', '? { a: b }\n: c', 'keys must be'],
    ['deep nesting', `${'['.repeat(40)}${']'.repeat(40)}`, 'nested deeper'],
    ['very deep nesting', '['.repeat(50_000), ''],
    [
      'YAML 1.1',
      '%YAML 1.1\n---\nregistry: off\nfrontends: { yes: { default_backend: x } }',
      'frontends.yes.bind',
    ],
  ])('%s', (_, text, message) => expect(errorOf(() => parse(text)).message).toContain(message));

  test('aliases are copied, and their places are those of the anchor', () => {
    const config = parse(`
defaults: { timeout: &short { tunnel: 5s } }
frontends: { f: { bind: ":80", timeout: *short, http-request: deny } }
`);
    expect(config.frontends[0]?.timeout.tunnel).toBe(5_000);
  });

  test('aliases cannot grow without bound', () => {
    const levels = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`);
    const { problems } = errorOf(() => parse(['a0: &a0 [x]', ...levels].join('\n')));
    expect(problems.some(({ message }) => message.includes('too much'))).toBe(true);
    expect(problems.length).toBeLessThan(20);
  });

  test('CRLF, BOM and tabs inside a line are fine', () => {
    expect(parse('\ufeffglobal:\r\n  node:\tlb-7\r\n').global.node).toBe('lb-7');
  });
});

describe('files and folders', () => {
  const folders: string[] = [];
  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
  });

  async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'vane-config-'));
    folders.push(folder);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return folder;
  }

  async function rejection(path: string, cwd: string): Promise<ConfigError> {
    const error: unknown = await loadConfig(path, { ...context, cwd }).catch((thrown: unknown) => thrown);
    if (error instanceof ConfigError) return error;
    throw new Error('not rejected with a ConfigError', { cause: error });
  }

  test('a path is relative to the working directory, and named as given', async () => {
    const cwd = await folderOf({ 'vane.yaml': 'global: { data-dir: d }', 'bad.yaml': 'glob: {}' });
    const config = await loadConfig('vane.yaml', { ...context, cwd });
    expect(config.global.dataDir).toBe(join(cwd, 'd'));
    expect((await rejection('bad.yaml', cwd)).message).toBe(
      'bad.yaml:1:1: glob: unknown key (did you mean global?)',
    );
  });

  test('a folder is one configuration', async () => {
    const cwd = await folderOf({
      '10-global.yaml': 'global: { node: lb-9 }',
      '20-web.yaml': 'frontends: { web: { bind: ":81", default_backend: web } }',
      '30-api.yml':
        'frontends: { api: { bind: ":82", default_backend: web } }\nbackends: { web: { servers: [w.service.consul] } }',
      '40-empty.yaml': '# nothing yet\n',
      'notes.txt': ': not : yaml',
      // What editors leave beside a file that is being changed.
      '.#20-web.yaml': ': not : yaml',
    });
    const config = await loadConfig('.', { ...context, cwd });
    expect(config.global.node).toBe('lb-9');
    expect(config.frontends.map(({ name }) => name)).toEqual(['web', 'api']);
  });

  test('what two files say is told in the second, and problems name their files', async () => {
    const cwd = await folderOf({
      'a.yaml': 'global: { node: lb-1 }\nbackends:\n  web: { servers: [w.service.consul] }\n',
      'b.yaml':
        'global: { node: lb-2 }\nbackends:\n  web: { servers: [w.service.consul] }\n  api: { servers: [5] }\n',
    });
    const { problems } = await rejection('.', cwd);
    expect(formatProblems(problems).split('\n')).toEqual([
      'b.yaml:1:1: global: duplicate key; it is already in a.yaml, line 1',
      'b.yaml:3:3: backends.web: duplicate key; it is already in a.yaml, line 3',
      'b.yaml:4:20: backends.api.servers[0]: expected text or a mapping, found 5',
    ]);
  });

  test('what cannot be read is a problem of the configuration', async () => {
    const cwd = await folderOf({});
    await mkdir(join(cwd, 'folder.yaml'));
    expect((await rejection('none.yaml', cwd)).message).toContain('none.yaml:1:1: cannot be read: ENOENT');
    expect((await rejection('folder.yaml', cwd)).message).toContain('no *.yaml file');
    expect((await rejection('.', cwd)).message).toContain('cannot be read: EISDIR');
  });

  test('the error says what it is', async () => {
    const error = await rejection('none.yaml', '/');
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', source: 'config' });
  });
});

describe('whatever a file says, it is a configuration or a ConfigError', () => {
  const attempt = (text: string) => {
    try {
      expect(Object.isFrozen(parse(text))).toBe(true);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      expect(error.problems.length).toBeGreaterThan(0);
      for (const { line, column, message } of error.problems) {
        expect(line).toBeGreaterThanOrEqual(1);
        expect(line).toBeLessThanOrEqual(text.split('\n').length + 1);
        expect(column).toBeGreaterThanOrEqual(1);
        expect(message).not.toBe('');
      }
    }
  };

  test('junk', () => {
    const junk = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(
          fc.constantFrom(
            'a',
            ': ',
            '\n',
            '  ',
            '- ',
            '[',
            ']',
            '{',
            '}',
            '"',
            "'",
            '&a ',
            '*a',
            '!x ',
            '|',
            '#',
            ',',
            '\t',
            '---',
            '${',
            '? ',
          ),
          { maxLength: 30 },
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(fc.property(junk, attempt), { numRuns: 1_000 });
  });

  test.each([
    'frontends: { f: { mode: X } }',
    'global: { log: { level: X } }',
    'defaults: { timeout: { client: X } }',
  ])('a mapping that cannot be written as text, in %s', (text) => {
    for (const odd of ['{ toString: no }', '{ valueOf: 1, toString: 2 }', '[{ toString: no }]']) {
      expect(errorOf(() => parse(text.replace('X', odd))).problems.length).toBeGreaterThan(0);
    }
  });

  test('any values under the known keys', () => {
    const key = fc.constantFrom(
      ...[
        'global',
        'registry',
        'resolvers',
        'defaults',
        'frontends',
        'backends',
        'servers',
        'bind',
        'timeout',
      ],
      ...[
        'option',
        'acl',
        'http-request',
        'use_backend',
        'default_backend',
        'mode',
        'domain',
        'address',
        'port',
      ],
      ...[
        'check',
        'nameserver',
        'stats',
        'http',
        'dns',
        'store',
        'web',
        'corp',
        'connect',
        'constructor',
        'toString',
      ],
    );
    const text = fc.constantFrom(
      ...[
        'off',
        'tcp',
        'http',
        'web',
        '5s',
        '127.0.0.1:80',
        ':80',
        'a.service.consul',
        'deny if { src ::1 }',
        'sqlite',
      ],
      ...[
        'path /a',
        'web if a',
        'httpchk GET /',
        'no redispatch',
        'tcp@1.2.3.4',
        'inter 1s',
        '',
        '{',
        '${X:-5}',
        'corp',
      ],
    );
    const { value } = fc.letrec((tie) => ({
      leaf: fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.double()),
      list: fc.array(tie('value'), { maxLength: 3 }),
      map: fc.dictionary(key, tie('value'), { maxKeys: 5 }),
      value: fc.oneof({ maxDepth: 5 }, tie('leaf'), tie('list'), tie('map'), tie('map')),
    }));
    // JSON is YAML; numbers JSON has no words for become null.
    fc.assert(
      fc.property(value, (any) => attempt(JSON.stringify(any, null, 1))),
      { numRuns: 1_000 },
    );
  });
});
