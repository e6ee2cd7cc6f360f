import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentCache } from '../../../src/api/consul/agent-cache.ts';
import type { ApiContext } from '../../../src/api/consul/context.ts';
import { ParkedQueries } from '../../../src/api/consul/parked-queries.ts';
import { consulRoutes } from '../../../src/api/consul/routes.ts';
import { type ConsulApi, createConsulApi } from '../../../src/api/consul/server.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { Registry } from '../../../src/registry/registry.ts';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import { eventually } from '../../helpers/eventually.ts';
import { recordedLog } from '../../helpers/registry.ts';

// Whatever is sent to any route, there is an answer or a refusal that says why; nothing breaks, nothing is left over.

/** Time for all requests, ms. */
const WITHIN = 10_000;
const SEED = 20_261_125;
const MAX_ROWS = 2_000;

const { log, lines } = recordedLog();
let registry: Registry;
let api: ConsulApi;
let routes: readonly { readonly path: string; readonly methods: readonly string[] }[];
const agent = new Agent({ keepAlive: true, maxSockets: 8 });

beforeAll(async () => {
  const node = { name: 'lb-1', address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const limits = { maxRows: MAX_ROWS, maxKvBytes: 4 * 1024 * 1024 };
  registry = new Registry({ store: createMemoryStore(), clock: systemClock, log, node, ...limits });
  await registry.start();
  // Checks are kept and not run: what is made up here must not be connected to.
  const checks = { ttlUpdate: async () => true, restart: () => {} };
  const shared = {
    registry,
    checks,
    scriptChecks: 'api',
    clock: systemClock,
    log,
    version: '1.9.8',
  } as const;
  const access = { anonymous: 'admin', grants: [], allowedHosts: undefined } as const;
  api = createConsulApi({ ...shared, bind: { host: '127.0.0.1', port: 0 }, access });
  await api.start();
  const context: ApiContext = {
    ...shared,
    access: { enabled: false },
    agentCache: new AgentCache(),
    parked: new ParkedQueries({ catalog: registry.catalog, clock: systemClock, limit: 1 }),
  };
  routes = consulRoutes(context).map(({ path, methods }) => ({ path, methods: Object.keys(methods) }));
});
afterAll(async () => {
  agent.destroy();
  await api.stop(systemClock.now() + 2_000);
  await registry.stop(systemClock.now() + 2_000);
});

const NAMES = [
  'web',
  'web-1',
  'lb-1',
  'consul',
  'any',
  'k/a',
  'id/web',
  'x',
  '__proto__',
  'q/execute',
  'serfHealth',
];
const FIELDS = [
  ...[
    'ID',
    'Id',
    'Name',
    'Node',
    'Address',
    'Service',
    'Services',
    'Check',
    'Checks',
    'CheckID',
    'ServiceID',
    'Tags',
  ],
  ...[
    'Meta',
    'NodeMeta',
    'Port',
    'Weights',
    'Passing',
    'Warning',
    'TaggedAddresses',
    'TTL',
    'Interval',
    'HTTP',
    'TCP',
  ],
  ...[
    'GRPC',
    'Args',
    'ScriptArgs',
    'Status',
    'Output',
    'Notes',
    'Definition',
    'Datacenter',
    'SkipNodeUpdate',
    'KV',
  ],
  ...[
    'Verb',
    'Key',
    'Value',
    'Flags',
    'Index',
    'Session',
    'Behavior',
    'LockDelay',
    'NodeChecks',
    'DNS',
    'Template',
  ],
  ...[
    'Near',
    'Failover',
    'OnlyPassing',
    'Header',
    'Kind',
    'Proxy',
    'Connect',
    'Coord',
    '__proto__',
    'constructor',
  ],
];
const PARAMETERS = [
  ...[
    'dc',
    'ns',
    'token',
    'index',
    'stale',
    'consistent',
    'cached',
    'max_stale',
    'pretty',
    'filter',
    'tag',
    'near',
  ],
  ...[
    'node-meta',
    'passing',
    'recurse',
    'keys',
    'separator',
    'raw',
    'cas',
    'flags',
    'acquire',
    'release',
    'enable',
  ],
  ...[
    'reason',
    'note',
    'format',
    'limit',
    'wan',
    'loglevel',
    'replace-existing-checks',
    'name',
    'node',
    'service',
    'hash',
  ],
];

const word = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.constantFrom(
    '',
    '0',
    '1',
    '-1',
    '10s',
    '99999999999999999999',
    'true',
    'passing',
    'set',
    'dc1',
    'a == b',
    'Service == "web"',
  ),
  fc.constantFrom('(((((', 'a.b matches "(a+)+$"', 'not not not', '\u0000', '../..', '%', '🙂', '\ud800'),
  fc.string({ unit: 'binary', maxLength: 30 }),
);

const tree = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(word, fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...FIELDS) }, { weight: 1, arbitrary: word }),
      tie('value'),
      {
        maxKeys: 8,
      },
    ),
  ),
})).value;

/** A body that has much of what a route wants, so that what comes after decoding is reached, too. */
const plausible = fc.record(
  {
    Name: word,
    ID: word,
    Node: word,
    Address: word,
    Service: fc.oneof(
      word,
      fc.record({
        Service: word,
        ID: word,
        Tags: fc.array(word),
        Port: fc.integer(),
        Meta: fc.dictionary(word, word),
      }),
    ),
    Check: fc.record(
      { Name: word, CheckID: word, TTL: word, Status: word, ServiceID: word },
      { requiredKeys: [] },
    ),
    TTL: word,
    Status: word,
    Behavior: word,
    LockDelay: fc.oneof(word, fc.integer()),
  },
  { requiredKeys: [] },
);
const operations = fc.array(
  fc.record(
    {
      KV: fc.record({
        Verb: fc.constantFrom('set', 'get', 'cas', 'lock', 'delete-tree', 'check-index', 'bogus'),
        Key: word,
        Value: word,
        Index: fc.nat(),
      }),
      Service: fc.record({ Verb: word, Node: word, Service: tree }),
      Node: fc.record({ Verb: word, Node: tree }),
      Check: fc.record({ Verb: word, Check: tree }),
    },
    { requiredKeys: [] },
  ),
  { maxLength: 70 },
);

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '');
const body = fc.oneof(
  fc.constant(Buffer.alloc(0)),
  tree.map(encoded),
  plausible.map(encoded),
  operations.map(encoded),
  fc
    .tuple(plausible.map(encoded), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([whole, part]) => whole.subarray(0, whole.length * part)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 1, max: 5_000 }).map((depth) => Buffer.from('['.repeat(depth))),
  fc.integer({ min: 1, max: 600_000 }).map((size) => Buffer.alloc(size, 'a')),
);

const rest = fc.oneof(
  word,
  fc.array(word, { maxLength: 3 }).map((words) => words.join('/')),
);
const query = fc.array(
  fc.tuple(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...PARAMETERS) }, { weight: 1, arbitrary: word }),
    word,
  ),
  { maxLength: 5 },
);

const asked = fc.record({
  route: fc.nat(),
  method: fc.nat(),
  anyMethod: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    'GET',
    'PUT',
    'POST',
    'DELETE',
    'PATCH',
    'OPTIONS',
  ),
  rest,
  query,
  rawQuery: fc.constantFrom('', '', '', '&%zz=%', '&&==&', '&wait=x'),
  body,
  expect: fc.constantFrom(undefined, 'application/json', 'text/plain; charset=latin1', 'multipart/form-data'),
});

interface Answered {
  readonly status: number;
  readonly text: string;
}

function send(method: string, path: string, payload: Buffer, type: string | undefined): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { ...(type ? { 'Content-Type': type } : {}), 'Content-Length': payload.length };
    const sent = request(
      { host: '127.0.0.1', port: api.port, method, path, headers, agent, timeout: 8_000 },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
        answer.on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // A refused body is not read to its end; sending the rest of it breaks.
      if (payload.length > 64_000 && (error.code === 'EPIPE' || error.code === 'ECONNRESET'))
        return resolve({ status: 413, text: 'cut' });
      reject(error);
    });
    sent.end(payload);
  });
}

/** May be asked for without a text that says why: what is not there, and what has moved. */
const SILENT_STATUSES = new Set([301, 404]);

test('every route answers or refuses whatever is sent to it', { timeout: 60_000 }, async () => {
  const failed: string[] = [];
  const heapBefore = heap();
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      asked,
      async ({
        route: at,
        method: nth,
        anyMethod,
        rest: tail,
        query: pairs,
        rawQuery,
        body: payload,
        expect: type,
      }) => {
        const route = routes[at % routes.length];
        if (!route) return;
        const method = anyMethod ?? route.methods[nth % route.methods.length] ?? 'GET';
        const wellFormed = pairs.map(([name, value]): [string, string] => [
          name.toWellFormed(),
          value.toWellFormed(),
        ]);
        // Without a bound a blocking query would wait for minutes.
        const parameters = `${new URLSearchParams(wellFormed)}&wait=2ms${rawQuery}`;
        const end = route.path.endsWith('/') ? encodeURIComponent(tail.toWellFormed()) : '';
        const path = `${route.path}${end}?${parameters}`;
        const { status, text } = await send(method, path, payload, type);
        seen.add(`${method} ${route.path}`);
        const isClean = status >= 200 && status < 600 && text !== 'Internal Server Error';
        const saysWhy = status < 400 || SILENT_STATUSES.has(status) || text !== '';
        if (!isClean || !saysWhy)
          failed.push(`${status} ${method} ${path} ${payload.toString('utf8', 0, 200)}: ${text}`);
        expect(failed).toEqual([]);
      },
    ),
    {
      seed: SEED,
      numRuns: 4_000,
      interruptAfterTimeLimit: WITHIN,
      markInterruptAsFailure: false,
      endOnFailure: true,
    },
  );
  expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  expect(seen.size).toBeGreaterThan(routes.length / 2);
  await eventually(() => expect(api.waiting).toBe(0));
  // The registry itself is bounded, and so is all that is remembered of requests.
  expect(heap() - heapBefore).toBeLessThan(150 * 1024 * 1024);
  expect((await send('GET', '/v1/status/leader', Buffer.alloc(0), undefined)).status).toBe(200);
});

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
