import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readDefinitions } from '../../../../src/api/definitions/read-files.ts';
import { ConfigError } from '../../../../src/config/problem.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-definitions-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Readonly<Record<string, string | object>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, '\t'));
  }
}

function read(paths: readonly string[], scriptChecks: 'off' | 'files' = 'off') {
  return readDefinitions(paths, { cwd: folder, scriptChecks });
}

/** The definitions of one JSON file. */
async function one(content: string | object, scriptChecks: 'off' | 'files' = 'off') {
  write({ 'web.json': content });
  return read(['web.json'], scriptChecks);
}

async function problemsOf(reading: Promise<unknown>): Promise<readonly string[]> {
  try {
    await reading;
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('definitions', () => {
  test('are read with every key that Consul takes, as the API takes its own', async () => {
    const { services } = await one({
      service: {
        id: 'web1',
        name: 'web',
        tags: ['a', 'b'],
        address: '10.0.0.1',
        port: 80,
        tagged_addresses: { lan: { address: '10.0.0.2', port: 81 } },
        meta: { Version: '2', some_key: '$' + '{HOME}' },
        weights: { passing: 3, warning: 2 },
        enable_tag_override: true,
        token: 'secret',
        kind: '',
        proxy: {},
        check: {
          id: 'c1',
          name: 'up',
          notes: 'n',
          status: 'passing',
          http: 'https://localhost/',
          method: 'POST',
          header: { 'X-A': ['b'] },
          body: 'x',
          tls_skip_verify: true,
          interval: '10s',
          timeout: '1m30s',
          success_before_passing: 2,
          failures_before_critical: 3,
          deregister_critical_service_after: '90m',
          output_max_size: 100,
        },
      },
    });
    expect(services).toEqual([
      {
        file: 'web.json',
        service: {
          id: 'web1',
          service: 'web',
          tags: ['a', 'b'],
          address: '10.0.0.1',
          port: 80,
          taggedAddresses: {
            lan: { address: '10.0.0.2', port: 81 },
            lan_ipv4: { address: '10.0.0.1', port: 80 },
            wan_ipv4: { address: '10.0.0.1', port: 80 },
          },
          meta: { Version: '2', some_key: '$' + '{HOME}' },
          weights: { passing: 3, warning: 2 },
          enableTagOverride: true,
          kind: '',
        },
        checks: [
          {
            id: 'c1',
            name: 'up',
            notes: 'n',
            status: 'passing',
            type: 'http',
            definition: {
              kind: {
                kind: 'http',
                url: 'https://localhost/',
                method: 'POST',
                header: { 'X-A': ['b'] },
                body: 'x',
                tlsSkipVerify: true,
              },
              interval: 10_000,
              timeout: 90_000,
              ttl: 0,
              successBeforePassing: 2,
              failuresBeforeCritical: 3,
              deregisterCriticalServiceAfter: 5_400_000,
              outputMaxSize: 100,
            },
          },
        ],
      },
    ]);
  });

  test.each([
    ['snake case', 'enable_tag_override', 'deregister_critical_service_after'],
    ['camel case', 'EnableTagOverride', 'DeregisterCriticalServiceAfter'],
    ['any case', 'ENABLE_TAG_OVERRIDE', 'deregistercriticalserviceafter'],
  ])('take keys in %s', async (_case, override, after) => {
    const { services } = await one({
      Service: { Name: 'web', [override]: true, Check: { TTL: '1m', [after]: '2m' } },
    });
    expect(services[0]?.service.enableTagOverride).toBe(true);
    expect(services[0]?.checks[0]?.definition?.deregisterCriticalServiceAfter).toBe(120_000);
  });

  test.each([
    [{ tcp: 'localhost:1', interval: '1s' }, 'tcp'],
    [{ udp: 'localhost:1', interval: '1s', timeout: '2s' }, 'udp'],
    [{ grpc: 'localhost:1/x', grpc_use_tls: true, interval: '1s' }, 'grpc'],
    [{ ttl: '10s' }, 'ttl'],
    [{ alias_service: 'other', alias_node: 'n' }, 'alias'],
    [{ args: ['/bin/true'], interval: '1s', shell: '' }, 'script'],
    [{ ScriptArgs: ['/bin/true'], interval: '1s' }, 'script'],
    [{ docker_container_id: 'c1', args: ['/bin/true'], shell: 'sh', interval: '1s' }, 'docker'],
    [{ DockerContainerID: 'c1', args: ['/bin/true'], interval: '1s' }, 'docker'],
    [{ docker_container_id: 'c1', ttl: '1s' }, 'ttl'],
  ])('know the check %j', async (check, kind) => {
    const { checks } = await one({ check: { name: 'it', ...check } }, 'files');
    expect(checks[0]?.check.type).toBe(kind);
    expect(checks[0]?.check.id).toBe('it');
  });

  test('come from files and folders, in JSON, HCL and YAML, in the order of their names', async () => {
    write({
      'one.yaml': 'service: { name: first }\n',
      'd/b.json': { services: [{ name: 'third' }, { name: 'fourth' }], checks: [] },
      'd/a.yml': 'services: [{ name: second }]\ncheck: { name: disk, service_id: first, ttl: 1m }\n',
      'd/c.hcl': 'services { name = "fifth" }\nservices { name = "sixth" }\n',
      'd/none.hcl': '# nothing',
      'd/.hidden.json': 'no JSON',
      'd/README.md': 'no JSON',
      'd/empty.json': '',
    });
    const { services, checks } = await read(['one.yaml', 'd']);
    expect(services.map(({ file, service }) => [file, service.id])).toEqual([
      ['one.yaml', 'first'],
      ['d/a.yml', 'second'],
      ['d/b.json', 'third'],
      ['d/b.json', 'fourth'],
      ['d/c.hcl', 'fifth'],
      ['d/c.hcl', 'sixth'],
    ]);
    expect(checks.map(({ check }) => [check.id, check.serviceId])).toEqual([['disk', 'first']]);
  });

  test('an empty check is none, and a service_id within a service says nothing', async () => {
    const { services } = await one({
      services: [
        { name: 'a', check: {} },
        { name: 'b', checks: [{ ttl: '1m', service_id: 'x' }] },
      ],
    });
    expect(services.map(({ checks }) => checks.length)).toEqual([0, 1]);
  });
});

describe('what is wrong with definitions', () => {
  test('is told all at once, at its place, in the order of the files', async () => {
    write({
      'd/a.json': `{
\t"service": {
\t\t"name": "web",
\t\t"prot": 80,
\t\t"tags": "a",
\t\t"weights": {"passing": 0},
\t\t"checks": [{"http": "http://x/", "intervall": "1s"}, {"ttl": 10}, {"tcp": "x:1"}]
\t}
}`,
      'd/b.yaml': 'services:\n  - port: eighty\n  - { name: a, meta: { "a b": x } }\nservise: true\n',
      'd/c.hcl': 'service {\n  name = "api"\n  check {\n    ttl = soon\n  }\n}',
      'd/c1.hcl': 'services { name = "x" }\nservices { name = 1 }\nchecks {\n\ttll = "1m"\n}',
      'd/d.json': '{"service": {"name": "web" "port": 1}}',
      'odd.txt': '',
      'd/e.json': '[]',
    });
    expect(await problemsOf(read(['d', 'none.json', 'odd.txt']))).toEqual([
      'd/a.json:4:3: service.prot: unknown key (did you mean port?)',
      'd/a.json:5:11: service.tags: expected a list, found "a"',
      'd/a.json:6:14: service.weights: Invalid Weights: Passing must be greater than 0',
      'd/a.json:7:36: service.checks[0].intervall: unknown key (did you mean interval?)',
      'd/a.json:7:64: service.checks[1].ttl: expected a duration such as 10s or 1m30s, found 10',
      'd/a.json:7:69: service.checks[2]: Interval must be > 0 for Script, HTTP, or TCP checks',
      'd/b.yaml:2:5: services[0]: a service needs a name',
      'd/b.yaml:2:11: services[0].port: expected a whole number, found "eighty"',
      expect.stringMatching(
        /^d\/b\.yaml:3:22: services\[1\]\.meta: Invalid Service Meta: .*invalid characters$/,
      ),
      'd/b.yaml:4:1: servise: unknown key (did you mean service?)',
      'd/c.hcl:4:11: expected a value, texts in quotes, found "soon"',
      'd/c1.hcl:2:19: services[1].name: expected text, found 1',
      'd/c1.hcl:2:19: services[1].name: a service needs a name',
      'd/c1.hcl:3:8: checks[0]: a check needs an id or a name',
      'd/c1.hcl:4:2: checks[0].tll: unknown key (did you mean ttl?)',
      expect.stringMatching(/^d\/d\.json:1:\d+: /),
      expect.stringMatching(/^d\/d\.json:1:\d+: /),
      'd/e.json:1:1: expected a mapping with service, services, check or checks',
      expect.stringMatching(/^none\.json:1:1: cannot be read: /),
      'odd.txt:1:1: expected a file whose name ends with .json, .hcl, .yaml or .yml',
    ]);
  });

  test.each<[object, string]>([
    [{ service: { name: 'web', Name: 'api' } }, 'service.Name: says the same as the key on line 3'],
    [{ service: { name: 'consul' } }, 'service.name: is the id of the registry itself'],
    [{ check: { id: 'serfHealth', ttl: '1m' } }, 'check.id: is the id of a check of the registry itself'],
    [{ services: [{ name: 'a' }, { name: 'A' }] }, 'services[1].name: the id "A" is taken: web.json:4'],
    [{ service: { name: 'web', address: '0.0.0.0' } }, 'service.address: is no address'],
    [{ service: { name: 'web', connect: { native: true } } }, 'Proxy and Connect are not supported'],
    [{ check: { ttl: '1m' } }, 'check: a check needs an id or a name'],
    [
      { check: { name: 'x', ttl: '1m', status: 'good' } },
      'check.status: expected passing, warning or critical',
    ],
    [
      { check: { name: 'x', ttl: 'soon' } },
      'check.ttl: expected a duration such as 10s or 1m30s, found "soon"',
    ],
    [{ check: { name: 'x', args: ['/bin/true'], interval: '1s' } }, 'check.args: programs may not be run'],
    [
      { check: { name: 'x', docker_container_id: 'x', args: ['a'], interval: '1s' } },
      'check.args: programs may not be run',
    ],
    [{ check: { name: 'x', docker_container_id: 'x', interval: '1s' } }, 'TTL must be > 0 for TTL checks'],
    [{ check: { name: 'x', udp: 'x:1' } }, 'check: Interval must be > 0 for'],
    [{ service: [] }, 'service: expected a mapping'],
    [{ services: {} }, 'services: expected a list'],
    [{ services: ['web'] }, 'services[0]: expected a mapping'],
    [{ service: { name: 'a\nb' } }, 'control characters are not allowed'],
  ])('%j', async (content, message) => {
    const problems = await problemsOf(one(content));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });

  test('includes the ids of checks, numbered ones too', async () => {
    const problems = await problemsOf(
      one({ service: { name: 'web', check: { ttl: '1m' } }, check: { id: 'service:WEB', ttl: '1m' } }),
    );
    expect(problems).toEqual([expect.stringContaining('the id "service:WEB" is taken: web.json:')]);
  });
});

test('whatever a file holds, it is read or told what is wrong with it', async () => {
  const names = [
    'service',
    'Services',
    'check',
    'checks',
    'name',
    'id',
    'tags',
    'meta',
    'weights',
    'http',
    'ttl',
  ];
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom<unknown>('web', '10s', 1, -1, 0.5, true, null, '', '__proto__'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 4 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(value, async (content) => {
      const problems = await problemsOf(one(JSON.stringify(content)));
      for (const problem of problems) expect(problem).toMatch(/^web\.json:\d+:\d+: /);
    }),
    { numRuns: 300 },
  );
});
