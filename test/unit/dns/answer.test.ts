import { describe, expect, test } from 'vitest';
import { answer } from '../../../src/dns/answer.ts';
import {
  type AnswerPolicy,
  DEFAULT_ANSWER_POLICY,
  type DnsRecord,
  type QuestionType,
} from '../../../src/dns/lookup.ts';
import { catalogOf, type Row } from '../../helpers/catalog-rows.ts';

const SOA = 'consul 0 SOA ns.consul hostmaster.consul 1700000000 3600 600 86400 0';

/** Answers are sorted, so that tables need not know the shuffle. */
function ask(rows: readonly Row[], name: string, type: QuestionType, policy: Partial<AnswerPolicy> = {}) {
  const reply = answer({ name, type }, catalogOf(rows), {
    domain: 'consul',
    policy: { ...DEFAULT_ANSWER_POLICY, ...policy },
    random: () => 0.5,
    now: 1_700_000_000,
    maxAnswers: 100,
  });
  const { rcode, authoritative, recursionAvailable } = reply;
  return {
    rcode,
    authoritative,
    recursionAvailable,
    answers: reply.answers.map(text).sort(),
    authorities: reply.authorities.map(text),
    additionals: reply.additionals.map(text).sort(),
  };
}

function text(record: DnsRecord): string {
  const head = `${record.name} ${record.ttl} ${record.type}`;
  switch (record.type) {
    case 'SRV':
      return `${head} ${record.data.priority} ${record.data.weight} ${record.data.port} ${record.data.target}`;
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record.data;
      return [head, mname, rname, serial, refresh, retry, expire, minimum].join(' ');
    }
    case 'TXT':
      return `${head} ${[record.data].flat().map(String).join('|')}`;
    default:
      return `${head} ${record.data}`;
  }
}

const web: Row = { service: 'web', address: '10.80.1.1', port: 8080, tags: ['V1', 'a.b'] };
const web2: Row = { service: 'web', address: '10.80.1.2', port: 8081 };
const web6: Row = { service: 'web', address: '2001:db8::80', port: 8082 };

const found = { rcode: 'NOERROR', authoritative: true, recursionAvailable: false };
const nodata = { ...found, answers: [], authorities: [SOA], additionals: [] };
const nxdomain = { ...nodata, rcode: 'NXDOMAIN' };

describe('services', () => {
  test.each<[string, QuestionType, string[]]>([
    ['web.service.consul', 'A', ['web.service.consul 0 A 10.80.1.1', 'web.service.consul 0 A 10.80.1.2']],
    ['Web.Service.CONSUL', 'AAAA', ['Web.Service.CONSUL 0 AAAA 2001:db8::80']],
    [
      'web.service.dc1.consul',
      'ANY',
      [
        'web.service.dc1.consul 0 A 10.80.1.1',
        'web.service.dc1.consul 0 A 10.80.1.2',
        'web.service.dc1.consul 0 AAAA 2001:db8::80',
      ],
    ],
    ['v1.web.service.consul', 'A', ['v1.web.service.consul 0 A 10.80.1.1']],
    ['a.b.web.service.consul', 'A', ['a.b.web.service.consul 0 A 10.80.1.1']],
    ['_web._v1.service.consul', 'SRV', ['_web._v1.service.consul 0 SRV 1 1 8080 0a500101.addr.dc1.consul']],
    ['_web._v1.consul', 'SRV', ['_web._v1.consul 0 SRV 1 1 8080 0a500101.addr.dc1.consul']],
  ])('%s %s', (name, type, answers) => {
    expect(ask([web, web2, web6], name, type)).toMatchObject({ ...found, answers, authorities: [] });
  });

  test('TXT questions are answered with addresses, as Consul does', () => {
    expect(ask([web], 'web.service.consul', 'TXT').answers).toEqual(['web.service.consul 0 A 10.80.1.1']);
  });

  test.each<QuestionType>(['AAAA', 'CNAME', 'PTR', 'other'])(
    '%s of an IPv4 service does not exist, the name does',
    (type) => {
      expect(ask([web], 'web.service.consul', type)).toEqual(nodata);
    },
  );

  test.each([
    'nope.service.consul',
    'nope.web.service.consul',
    'web.service.dc9.consul',
    'consul',
    'web.consul',
    'b.web.service.consul',
  ])('%s does not exist', (name) => {
    expect(ask([web], name, 'A')).toEqual(nxdomain);
  });

  test('an instance without an address has its node’s', () => {
    const rows: Row[] = [{ service: 'web', node: 'n1', nodeAddress: '10.80.0.9' }];
    expect(ask(rows, 'web.service.consul', 'A').answers).toEqual(['web.service.consul 0 A 10.80.0.9']);
  });

  test('the same address twice is one address record but two SRV records', () => {
    const rows: Row[] = [web, { ...web, port: 9090 }];
    expect(ask(rows, 'web.service.consul', 'A').answers).toHaveLength(1);
    const srv = ask(rows, 'web.service.consul', 'SRV');
    expect(srv.answers).toHaveLength(2);
    expect(srv.additionals).toEqual(Array(2).fill('0a500101.addr.dc1.consul 0 A 10.80.1.1'));
  });

  test('critical instances are left out, warnings stay unless only passing ones are wanted', () => {
    const rows: Row[] = [
      { ...web, checks: ['passing', 'warning'] },
      { ...web2, checks: ['passing', 'critical'] },
      { service: 'web', address: '10.80.1.3' },
    ];
    const one = 'web.service.consul 0 A 10.80.1.1';
    const three = 'web.service.consul 0 A 10.80.1.3';
    expect(ask(rows, 'web.service.consul', 'A').answers).toEqual([one, three]);
    expect(ask(rows, 'web.service.consul', 'A', { onlyPassing: true }).answers).toEqual([three]);
    expect(ask([{ ...web, checks: ['critical'] }], 'web.service.consul', 'A')).toEqual(nxdomain);
  });

  test('a change of the catalog changes the answer', () => {
    // Each catalog hands out lists of its own: what was derived from one must not be used for the other.
    expect(ask([web], 'web.service.consul', 'A').rcode).toBe('NOERROR');
    expect(ask([{ ...web, checks: ['critical'] }], 'web.service.consul', 'A').rcode).toBe('NXDOMAIN');
  });

  test('ttl', () => {
    expect(ask([web], 'web.service.consul', 'A', { serviceTtls: { '*': 7 } }).answers).toEqual([
      'web.service.consul 7 A 10.80.1.1',
    ]);
  });
});

describe('SRV', () => {
  const node: Row = {
    node: 'n1',
    nodeAddress: '10.80.0.1',
    nodeMeta: { rack: 'r1', 'rfc1035-note': 'hello' },
  };

  test.each<[string, Row, string[], string[]]>([
    [
      'an address',
      { service: 'web', address: '10.80.1.1', port: 1 },
      ['web.service.consul 0 SRV 1 1 1 0a500101.addr.dc1.consul'],
      [
        '0a500101.addr.dc1.consul 0 A 10.80.1.1',
        '0a500101.addr.dc1.consul 0 TXT hello',
        '0a500101.addr.dc1.consul 0 TXT rack=r1',
      ],
    ],
    [
      'no address',
      { service: 'web', port: 0 },
      ['web.service.consul 0 SRV 1 1 0 n1.node.dc1.consul'],
      [
        'n1.node.dc1.consul 0 A 10.80.0.1',
        'n1.node.dc1.consul 0 TXT hello',
        'n1.node.dc1.consul 0 TXT rack=r1',
      ],
    ],
    [
      'an IPv6 address',
      { service: 'web', address: '2001:db8::1', port: 1, node: 'n2' },
      ['web.service.consul 0 SRV 1 1 1 20010db8000000000000000000000001.addr.dc1.consul'],
      ['20010db8000000000000000000000001.addr.dc1.consul 0 AAAA 2001:db8::1'],
    ],
    [
      'a host name elsewhere',
      { service: 'web', address: 'www.example.net', port: 1, node: 'n2' },
      ['web.service.consul 0 SRV 1 1 1 www.example.net'],
      [],
    ],
    [
      'a host name of the zone',
      { service: 'web', address: 'n1.node.consul', port: 1, node: 'n2' },
      ['web.service.consul 0 SRV 1 1 1 n1.node.consul'],
      ['n1.node.consul 0 A 10.80.0.1'],
    ],
    [
      'a node whose name cannot be a target',
      { service: 'web', node: 'my node', nodeAddress: '10.80.0.7', port: 1 },
      ['web.service.consul 0 SRV 1 1 1 0a500007.addr.dc1.consul'],
      ['0a500007.addr.dc1.consul 0 A 10.80.0.7'],
    ],
  ])('%s', (_, row, answers, additionals) => {
    expect(ask([node, row], 'web.service.consul', 'SRV')).toMatchObject({ ...found, answers, additionals });
  });

  test('weights follow the health, within what SRV can say', () => {
    const weights = { passing: 70_000, warning: 3 };
    const rows: Row[] = [
      { ...web, weights },
      { ...web2, weights, checks: ['warning'] },
    ];
    expect(ask(rows, 'web.service.consul', 'SRV').answers).toEqual([
      'web.service.consul 0 SRV 1 3 8081 0a500102.addr.dc1.consul',
      'web.service.consul 0 SRV 1 65535 8080 0a500101.addr.dc1.consul',
    ]);
  });

  test.each([-5, 65_536, 99_999_999])('an instance on port %i is left out', (port) => {
    expect(ask([web, { ...web2, port }], 'web.service.consul', 'SRV').answers).toHaveLength(1);
  });
});

describe('host names as addresses', () => {
  const named: Row = { service: 'web', address: 'www.example.net' };

  test.each<QuestionType>(['A', 'AAAA', 'ANY', 'CNAME'])('%s is a CNAME', (type) => {
    expect(ask([named], 'web.service.consul', type).answers).toEqual([
      'web.service.consul 0 CNAME www.example.net',
    ]);
  });

  test('addresses keep CNAMEs out, of several CNAMEs one is given', () => {
    expect(ask([named, web], 'web.service.consul', 'A').answers).toEqual([
      'web.service.consul 0 A 10.80.1.1',
    ]);
    expect(ask([named, web], 'web.service.consul', 'AAAA')).toEqual(nodata);
    expect(
      ask([named, { ...named, address: 'b.example.net' }], 'web.service.consul', 'A').answers,
    ).toHaveLength(1);
  });

  test('a name of the zone is resolved', () => {
    const rows: Row[] = [{ service: 'web', address: 'n1.node.consul' }];
    expect(ask(rows, 'web.service.consul', 'A').answers).toEqual([
      'n1.node.consul 0 A 10.80.0.1',
      'web.service.consul 0 CNAME n1.node.consul',
    ]);
  });

  test('names that lead to each other end', () => {
    const rows: Row[] = [
      { service: 'a', address: 'b.service.consul' },
      { service: 'b', address: 'a.service.consul' },
    ];
    expect(ask(rows, 'a.service.consul', 'A').answers).toHaveLength(4);
  });

  test('a service that names itself has its node’s address', () => {
    const rows: Row[] = [{ service: 'web', address: 'Web.service.consul.' }];
    expect(ask(rows, 'web.service.consul', 'A').answers).toEqual(['web.service.consul 0 A 10.80.0.1']);
  });

  test.each(['a b', 'x'.repeat(64), 'a..b', 'fe80::1%eth0', '\0'])(
    '%j cannot be answered with',
    (address) => {
      expect(ask([{ service: 'web', address }], 'web.service.consul', 'A')).toEqual(nodata);
      expect(ask([{ service: 'web', address }], 'web.service.consul', 'SRV')).toEqual(nodata);
    },
  );
});

describe('nodes', () => {
  const rows: Row[] = [
    { node: 'n1', nodeAddress: '10.81.0.1', nodeMeta: { rack: 'r1', 'a=`b': ' x' } },
    { node: 'n2.rack', nodeAddress: '2001:db8::2' },
    { node: 'n3', nodeAddress: 'n1.node.consul' },
  ];
  const meta = ['n1.node.consul 0 TXT a`=``b= x', 'n1.node.consul 0 TXT rack=r1'];

  test.each<[string, QuestionType, string[], string[]]>([
    ['n1.node.consul', 'A', ['n1.node.consul 0 A 10.81.0.1'], meta],
    [
      'N1.node.DC1.consul',
      'A',
      ['N1.node.DC1.consul 0 A 10.81.0.1'],
      meta.map((m) => m.replace('n1.node', 'N1.node.DC1')),
    ],
    ['n1.node.consul', 'AAAA', [], meta],
    ['n1.node.consul', 'ANY', ['n1.node.consul 0 A 10.81.0.1', ...meta], []],
    ['n1.node.consul', 'TXT', meta, []],
    ['n1.node.consul', 'SRV', [], []],
    ['n1.node.consul', 'other', [], []],
    ['n2.rack.node.consul', 'AAAA', ['n2.rack.node.consul 0 AAAA 2001:db8::2'], []],
    ['n2.rack.node.consul', 'TXT', [], []],
    ['n3.node.consul', 'A', ['n1.node.consul 0 A 10.81.0.1', 'n3.node.consul 0 CNAME n1.node.consul'], []],
  ])('%s %s', (name, type, answers, additionals) => {
    expect(ask(rows, name, type)).toEqual({ ...found, answers, authorities: [], additionals });
  });

  test.each(['nope.node.consul', 'n1.node.dc9.consul'])('%s does not exist', (name) => {
    expect(ask(rows, name, 'A')).toEqual(nxdomain);
  });
});

describe('addresses in names', () => {
  test.each<[string, QuestionType, string[]]>([
    ['0A500101.addr.consul', 'A', ['0a500101.addr.consul 0 A 10.80.1.1']],
    ['0a500101.addr.dc9.consul', 'AAAA', ['0a500101.addr.dc9.consul 0 A 10.80.1.1']],
    ['0a51.addr.consul', 'A', []],
  ])('%s %s', (name, type, answers) => {
    expect(ask([], name, type)).toEqual({ ...found, answers, authorities: [], additionals: [] });
  });

  test('that is no address does not exist', () => {
    expect(ask([], 'zzzzzzzz.addr.consul', 'A')).toEqual(nxdomain);
  });
});

describe('the zone', () => {
  const self = 'consul 0 NS lb-1.node.dc1.consul';
  const glue = 'lb-1.node.dc1.consul 0 A 10.0.0.1';

  test.each(['consul', 'CONSUL', 'anything.at.all.consul'])('SOA and NS of %s', (name) => {
    expect(ask([], name, 'SOA')).toEqual({
      ...found,
      answers: [SOA],
      authorities: [self],
      additionals: [glue],
    });
    expect(ask([], name, 'NS')).toEqual({ ...found, answers: [self], authorities: [], additionals: [glue] });
  });

  test('its nameservers are up to three healthy registry servers', () => {
    const rows: Row[] = [1, 2, 3, 4, 5].map((n) => ({
      node: `s${n}`,
      nodeAddress: `10.0.1.${n}`,
      service: 'consul',
      checks: [n < 3 ? ('critical' as const) : ('passing' as const)],
    }));
    expect(ask(rows, 'consul', 'NS').answers).toEqual(
      [3, 4, 5].map((n) => `consul 0 NS s${n}.node.dc1.consul`),
    );
  });

  test.each<QuestionType>(['A', 'SOA', 'NS', 'ANY'])('%s of a name outside it is refused', (type) => {
    const refused = { rcode: 'REFUSED', authoritative: false, answers: [], authorities: [], additionals: [] };
    expect(ask([web], 'www.example.com', type)).toMatchObject(refused);
    expect(ask([web], 'xconsul', type)).toMatchObject(refused);
  });
});

describe('reverse names', () => {
  const rows: Row[] = [
    { node: 'n1', nodeAddress: '10.81.0.1' },
    { node: 'n2', nodeAddress: '10.81.0.2', service: 'api', address: '10.81.0.1' },
    { node: 'n2', service: 'web', address: '2001:DB8::8', checks: ['critical'] },
    { node: 'bad name', nodeAddress: '10.81.0.3' },
  ];
  const v6 = '8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa';

  test.each<[string, QuestionType, string]>([
    ['1.0.81.10.in-addr.arpa', 'PTR', 'n1.node.dc1.consul'],
    ['1.0.81.10.in-addr.arpa', 'ANY', 'n1.node.dc1.consul'],
    [v6, 'PTR', 'web.service.dc1.consul'],
  ])('%s %s', (name, type, target) => {
    expect(ask(rows, name, type)).toMatchObject({ ...found, answers: [`${name} 0 PTR ${target}`] });
  });

  test.each<[string, QuestionType]>([
    ['9.9.81.10.in-addr.arpa', 'PTR'],
    ['81.10.in-addr.arpa', 'PTR'],
    ['1.0.81.10.in-addr.arpa', 'A'],
    ['3.0.81.10.in-addr.arpa', 'PTR'],
  ])('%s %s fails as in Consul without recursors', (name, type) => {
    expect(ask(rows, name, type)).toEqual({
      rcode: 'SERVFAIL',
      authoritative: false,
      recursionAvailable: true,
      answers: [],
      authorities: [],
      additionals: [],
    });
  });
});
