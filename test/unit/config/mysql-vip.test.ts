import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';

function load(text: string) {
  return parseConfig([{ file: 'vane.yaml', text }], { env: {}, hostname: 'lb-1', cwd: '/' });
}

function problems(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

/** A section `main` with one thing changed. */
function section(changes: { servers?: string; more?: string } = {}): string {
  const { servers = 'db1: { address: "10.0.0.1:3306", role: master }', more = '' } = changes;
  return `mysql-vip:
  main:
    bind: 127.0.0.1:3306
    servers: { ${servers} }
    monitor: { user: mon }
    ${more}`;
}

describe('mysql-vip', () => {
  test('has a default for all but addresses, servers and the account', () => {
    const { mysqlVips } = load(`global: { maxconn: 500 }\n${section()}`);
    expect(mysqlVips).toEqual([
      {
        name: 'main',
        bind: [{ host: '127.0.0.1', port: 3306 }],
        bindRo: [],
        service: 'mysql',
        servers: [{ id: 'db1', role: 'master', host: '10.0.0.1', port: 3306 }],
        monitor: { user: 'mon', password: '', interval: 1_000, timeout: 1_000, fall: 3, rise: 2 },
        failover: { mode: 'degrade', unreachableWait: 5_000, maxStale: 3_600_000 },
        registry: { services: undefined, lock: undefined, agentLoss: 'failover', agentGrace: 2_000 },
        promote: undefined,
        failback: { policy: 'after-stable', stable: 60_000 },
        hold: { time: 8_000, max: 1_000 },
        drain: 10_000,
        connectTimeout: 1_000,
        maxconn: 500,
      },
    ]);
  });

  test('promotes with defaults for all but the account and the fence', () => {
    const more = `failover: { mode: promote }
    promote: { user: ctl, hooks: { fence: [/usr/sbin/fence, db1] } }`;
    const [vip] = load(section({ more })).mysqlVips;
    expect(vip?.promote).toEqual({
      ...{ user: 'ctl', password: '', replication: undefined },
      ...{ maxLag: 5_000, applyWait: 30_000, blockFor: 3_600_000, requireFence: true, hookTimeout: 30_000 },
      hooks: {
        ...{ pre: undefined, promote: undefined, post: undefined, failed: undefined },
        fence: ['/usr/sbin/fence', 'db1'],
      },
    });
  });

  test.each([
    [
      'without saying with which account',
      'failover: { mode: promote }',
      ['mysql-vip.main.promote: missing: expected the account to promote with'],
    ],
    [
      'without a fence',
      `failover: { mode: promote }
    promote: { user: ctl }`,
      [expect.stringMatching(/^mysql-vip\.main\.promote: needs hooks\.fence/)],
    ],
    [
      'in mode degrade',
      'promote: { user: ctl, require-fence: false }',
      ['mysql-vip.main.promote: needs failover: { mode: promote }'],
    ],
    [
      'with slaves that have no account',
      `failover: { mode: promote }
    promote: { user: ctl, require-fence: false, replication: {} }`,
      ['mysql-vip.main.promote.replication.user: missing: expected the account of slaves'],
    ],
  ])('does not promote %s', (_, more, expected) => {
    expect(problems(section({ more }))).toEqual(expected);
  });

  test('shows its instances and agrees in a Consul that has a section of its own', () => {
    const resolvers = 'resolvers: { corp: { consul: "http://10.0.0.5:8500", token: secret } }\n';
    const { mysqlVips } = load(resolvers + section({ more: 'registry: { services: corp, lock: corp }' }));
    const corp = { kind: 'consul', id: 'corp', urls: ['http://10.0.0.5:8500'], token: 'secret' };
    expect(mysqlVips[0]?.registry).toMatchObject({ services: corp, lock: corp });
    const more = 'registry: { services: builtin, lock: builtin }';
    expect(load(section({ more })).mysqlVips[0]?.registry).toMatchObject({ services: undefined });
  });

  test('agrees in no section that there is not, or that asks nameservers', () => {
    const resolvers = 'resolvers: { dns: { nameserver: { one: "10.0.0.2" } } }\n';
    expect(problems(resolvers + section({ more: 'registry: { services: dns, lock: crop }' }))).toEqual([
      'mysql-vip.main.registry.services: dns asks nameservers, which take no registrations: name a section with the key consul',
      'mysql-vip.main.registry.lock: expected builtin or a resolvers section with the key consul, found "crop"',
    ]);
  });

  test('takes a localhost, and several addresses for each of its two endpoints', () => {
    const text = section({
      servers:
        'db1: { address: "localhost:3306", role: master }, db2: { address: "[::1]:3306", role: slave }',
      more: 'bind-ro: [":3307", "127.0.0.1:3308"]',
    });
    const [vip] = load(text).mysqlVips;
    expect(vip?.servers.map(({ host }) => host)).toEqual(['127.0.0.1', '::1']);
    expect(vip?.bindRo).toHaveLength(2);
  });

  test.each([
    [
      'no master',
      'db1: { address: "10.0.0.1:3306", role: slave }',
      ['mysql-vip.main.servers: expected exactly one server with role master, found 0'],
    ],
    [
      'two masters',
      'db1: { address: "10.0.0.1:3306", role: master }, db2: { address: "10.0.0.2:3306", role: master }',
      ['mysql-vip.main.servers: expected exactly one server with role master, found 2'],
    ],
    [
      'one address twice',
      'db1: { address: "10.0.0.1:3306", role: master }, db2: { address: "10.0.0.1:3306", role: slave }',
      ['mysql-vip.main.servers: two servers have the same address'],
    ],
    [
      'a name',
      'db1: { address: "db.example.com:3306", role: master }',
      ['mysql-vip.main.servers.db1.address: expected an IP address: db.example.com is a name'],
    ],
    [
      'no port',
      'db1: { address: 10.0.0.1, role: master }',
      ['mysql-vip.main.servers.db1.address: 10.0.0.1 needs a port; write 10.0.0.1:3306'],
    ],
    [
      'no role',
      'db1: { address: "10.0.0.1:3306" }',
      ['mysql-vip.main.servers.db1.role: missing: expected master or slave'],
    ],
  ])('with %s is refused', (_, servers, expected) => {
    expect(problems(section({ servers }))).toEqual(expected);
  });

  test('lacking what it needs says all of it', () => {
    expect(problems('mysql-vip: { main: {} }')).toEqual([
      'mysql-vip.main.bind: missing: expected the addresses to listen on',
      'mysql-vip.main.servers: missing: expected the MySQL servers',
      'mysql-vip.main.monitor: missing: expected the account to ask the servers with',
    ]);
  });

  test('cannot listen where somebody else does', () => {
    const text = `${section({ more: 'bind-ro: 127.0.0.1:3307' })}
frontends: { f: { mode: tcp, bind: 127.0.0.1:3307, default_backend: b } }
backends: { b: { mode: tcp, servers: [10.0.0.1:80] } }`;
    expect(problems(text)).toEqual([expect.stringMatching(/already taken: frontends\.f\.bind/)]);
  });

  test('needs a service of its own', () => {
    const other = `  other:
    bind: 127.0.0.1:4306
    servers: { db1: { address: "10.0.0.9:3306", role: master } }
    monitor: { user: mon }`;
    expect(problems(`${section()}\n${other}`)).toEqual([
      'mysql-vip.other: mysql-vip.main registers mysql-vip already: give each its own service',
    ]);
    expect(problems(`${section()}\n${other}\n    service: orders`)).toEqual([]);
  });
});
