import type { KvWrite, KvWriteVerb } from '../../registry/kv-plans.ts';
import type { KvEntry } from '../../registry/model.ts';
import { type Answer, empty, json } from './answer.ts';
import { type ApiContext, observed } from './context.ts';
import { isUnsigned } from './decode.ts';
import { kvJson } from './kv-encode.ts';
import { checkDatacenter, readOptions } from './query.ts';
import { command, Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import type { Call, Route } from './route.ts';

/** https://developer.hashicorp.com/consul/api-docs/kv */
export function kvRoutes(api: ApiContext): readonly Route[] {
  return [
    {
      path: '/v1/kv/',
      methods: {
        GET: (call) => (call.query.has('keys') ? keys(api, call) : read(api, call)),
        PUT: (call) => put(api, call),
        DELETE: (call) => remove(api, call),
      },
      tooLarge: (bytes, most) =>
        `Request body(${bytes} bytes) too large, max size: ${most} bytes. ` +
        'See https://www.consul.io/docs/agent/options.html#kv_max_value_size.',
    },
  ];
}

async function read(api: ApiContext, call: Call): Promise<Answer> {
  const key = call.rest;
  if (call.query.has('recurse')) {
    const { value, headers } = await under(api, call, key);
    return value.length > 0
      ? json(
          value.map((entry) => kvJson(entry)),
          headers,
        )
      : empty(404, headers);
  }
  requireKey(key);
  demand(call.rights.readsKey(key));
  const { kv } = api.registry.catalog;
  const { value, headers } = await observed(api, call, { kind: 'kv', key }, () => kv.entry(key));
  demand(call.rights.readsKey(key));
  if (!value) return empty(404, headers);
  return call.query.has('raw') ? raw(value, headers) : json([kvJson(value)], headers);
}

/** No browser is to take a value for a page (Consul sends the same headers). */
function raw({ value }: KvEntry, headers: Readonly<Record<string, string>>): Answer {
  return {
    status: 200,
    headers: { ...headers, 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': 'sandbox' },
    content: { bytes: value, type: 'text/plain' },
  };
}

async function keys(api: ApiContext, call: Call): Promise<Answer> {
  const prefix = call.rest;
  // Consul once had it misspelt, and still takes that.
  const separator = call.query.get('separator') ?? call.query.get('seperator') ?? '';
  const { value, headers } = await under(api, call, prefix);
  if (value.length === 0 && prefix !== '') return empty(404, headers);
  return json(folded(value, prefix, separator), headers);
}

/** The keys, with those that go on after a separator told as one. */
function folded(entries: readonly KvEntry[], prefix: string, separator: string): readonly string[] {
  if (separator === '') return entries.map(({ key }) => key);
  const shown = new Set<string>();
  for (const { key } of entries) {
    const at = key.indexOf(separator, prefix.length);
    shown.add(at < 0 ? key : key.slice(0, at + separator.length));
  }
  return [...shown];
}

/** Without the keys that the client may not see. */
async function under(api: ApiContext, call: Call, prefix: string) {
  const { kv } = api.registry.catalog;
  const found = await observed(api, call, { kind: 'kv-tree', prefix }, () => kv.under(prefix));
  const { rights } = call;
  return { ...found, value: found.value.filter(({ key }) => rights.readsKey(key)) };
}

function put(api: ApiContext, call: Call): Promise<Answer> {
  readOptions(call.query, call.header('cache-control'));
  requireKey(call.rest);
  refuseConflicts(call.query, ['cas', 'acquire', 'release']);
  const flags = unsignedOf(call.query, 'flags') ?? '0';
  const cas = unsignedOf(call.query, 'cas');
  const acquire = call.query.get('acquire');
  const release = call.query.get('release');
  const verb: KvWriteVerb =
    release !== null ? 'unlock' : acquire !== null ? 'lock' : cas !== undefined ? 'cas' : 'set';
  return write(api, call, { verb, flags, value: call.bytes, ...at(cas), session: release ?? acquire ?? '' });
}

function remove(api: ApiContext, call: Call): Promise<Answer> {
  readOptions(call.query, call.header('cache-control'));
  refuseConflicts(call.query, ['recurse', 'cas']);
  const recurse = call.query.has('recurse');
  if (!recurse) requireKey(call.rest);
  const cas = unsignedOf(call.query, 'cas');
  const verb = recurse ? 'delete-tree' : cas === undefined ? 'delete' : 'delete-cas';
  return write(api, call, { verb, flags: '0', value: Buffer.alloc(0), ...at(cas), session: '' });
}

async function write(api: ApiContext, call: Call, request: Omit<KvWrite, 'key'>): Promise<Answer> {
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const { rights, rest: key } = call;
  demand(request.verb === 'delete-tree' ? rights.writesKeysUnder(key) : rights.writesKey(key));
  const done = await command(api.registry.kv.write({ ...request, key }, call.cause), 500);
  return json(done);
}

function requireKey(key: string): void {
  if (key === '') throw new Refusal(400, 'Missing key name');
}

/** Indexes too large for a number are above any there will ever be. */
function at(cas: string | undefined): { readonly index: number } {
  return { index: Math.min(Number(cas ?? 0), Number.MAX_SAFE_INTEGER) };
}

/** What Go's strconv.ParseUint takes; undefined when it is not given. Throws its 500s. */
function unsignedOf(query: URLSearchParams, name: string): string | undefined {
  const given = query.get(name);
  if (given === null) return undefined;
  if (isUnsigned(given)) return BigInt(given).toString();
  const problem = /^\d+$/.test(given) ? 'value out of range' : 'invalid syntax';
  throw new Refusal(500, `strconv.ParseUint: parsing ${JSON.stringify(given)}: ${problem}`);
}

function refuseConflicts(query: URLSearchParams, flags: readonly string[]): void {
  if (flags.filter((flag) => query.has(flag)).length < 2) return;
  throw new Refusal(400, `Conflicting flags: ${encoded(query)}`);
}

/** As Go's url.Values encodes itself: in order of the names. */
function encoded(query: URLSearchParams): string {
  const sorted = new URLSearchParams(query);
  sorted.sort();
  return sorted.toString().replaceAll('%7E', '~').replaceAll('*', '%2A');
}
