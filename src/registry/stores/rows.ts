import { VaneError } from '../../core/errors.ts';
import type {
  Check,
  CheckDefinition,
  CheckKind,
  Indexed,
  Instance,
  PreparedQuery,
  RegistryNode,
  ServiceAddress,
  Session,
  Unindexed,
} from '../model.ts';
import {
  fields,
  type Guard,
  isBoolean,
  isNumber,
  isString,
  listOf,
  literal,
  nullable,
  oneOf,
  optional,
  recordOf,
} from './guards.ts';

/** A row as stores keep it: everything but the indexes as JSON, equal for equal rows (keys in order). */
export function encodeRow(row: object): string {
  const { createIndex, modifyIndex, ...body }: Partial<Indexed> & object = row;
  return JSON.stringify(body, inKeyOrder);
}

/** These throw STORE_CORRUPT, naming `what`, for a body that is not such a row. */
export const decodeNode = decoder<Unindexed<RegistryNode>>({
  id: isString,
  node: isString,
  address: isString,
  datacenter: isString,
  taggedAddresses: nullable(recordOf(isString)),
  meta: nullable(recordOf(isString)),
});

export const decodeInstance = decoder<Unindexed<Instance>>({
  node: isString,
  id: isString,
  service: isString,
  tags: listOf(isString),
  address: isString,
  port: isNumber,
  taggedAddresses: nullable(recordOf(fields<ServiceAddress>({ address: isString, port: isNumber }))),
  meta: nullable(recordOf(isString)),
  weights: fields<Instance['weights']>({ passing: isNumber, warning: isNumber }),
  enableTagOverride: isBoolean,
  kind: isString,
  file: optional(isString),
});

type KindOf<K extends CheckKind['kind']> = Extract<CheckKind, { kind: K }>;

const isHttp = fields<KindOf<'http'>>({
  kind: literal('http'),
  url: isString,
  method: isString,
  header: recordOf(listOf(isString)),
  body: isString,
  tlsSkipVerify: isBoolean,
});
const isTcp = fields<KindOf<'tcp'>>({ kind: literal('tcp'), address: isString });
const isUdp = fields<KindOf<'udp'>>({ kind: literal('udp'), address: isString });
const isGrpc = fields<KindOf<'grpc'>>({
  kind: literal('grpc'),
  target: isString,
  useTls: isBoolean,
  tlsSkipVerify: isBoolean,
});
const isScript = fields<KindOf<'script'>>({
  kind: literal('script'),
  args: listOf(isString),
  shell: isString,
});
const isDocker = fields<KindOf<'docker'>>({
  kind: literal('docker'),
  container: isString,
  args: listOf(isString),
  shell: isString,
});
const isTtl = fields<KindOf<'ttl'>>({ kind: literal('ttl') });
const isAlias = fields<KindOf<'alias'>>({ kind: literal('alias'), node: isString, serviceId: isString });

const isDefinition = fields<CheckDefinition>({
  kind: oneOf(
    oneOf(oneOf(isHttp, isTcp), oneOf(isScript, isTtl)),
    oneOf(oneOf(isAlias, isGrpc), oneOf(isUdp, isDocker)),
  ),
  interval: isNumber,
  timeout: isNumber,
  ttl: isNumber,
  successBeforePassing: isNumber,
  failuresBeforeCritical: isNumber,
  deregisterCriticalServiceAfter: isNumber,
  outputMaxSize: isNumber,
});

export const decodeCheck = decoder<Unindexed<Check>>({
  node: isString,
  id: isString,
  name: isString,
  status: isString,
  notes: isString,
  output: isString,
  serviceId: isString,
  serviceName: isString,
  serviceTags: listOf(isString),
  type: isString,
  definition: optional(isDefinition),
  toldDefinition: optional(isDefinition),
  file: optional(isString),
});

export const decodeSession = decoder<Unindexed<Session>>({
  id: isString,
  name: isString,
  node: isString,
  lockDelay: isNumber,
  behavior: oneOf(literal('release'), literal('delete')),
  ttl: isString,
  ttlMs: isNumber,
  nodeChecks: nullable(listOf(isString)),
  serviceChecks: nullable(
    listOf(
      fields<{ readonly id: string; readonly namespace: string }>({ id: isString, namespace: isString }),
    ),
  ),
  checks: nullable(listOf(isString)),
});

export const decodeQuery = decoder<Unindexed<PreparedQuery>>({
  id: isString,
  name: isString,
  session: isString,
  service: isString,
  onlyPassing: isBoolean,
  ignoreCheckIds: nullable(listOf(isString)),
  tags: nullable(listOf(isString)),
  nodeMeta: nullable(recordOf(isString)),
  serviceMeta: nullable(recordOf(isString)),
  near: isString,
  failover: fields<PreparedQuery['failover']>({
    nearestN: isNumber,
    datacenters: nullable(listOf(isString)),
  }),
  ttl: isString,
  ttlMs: isNumber,
});

/** Reads rows of a kind; what it returns throws STORE_CORRUPT, naming `what`. */
export function decoder<T extends object>(
  guards: { readonly [K in keyof T]-?: Guard<T[K]> },
): (what: string, body: string) => T {
  const isRow = fields<T>(guards);
  return (what, body) => {
    const row = parse(what, body);
    if (!isRow(row)) throw new VaneError('STORE_CORRUPT', `${what} is not what it should be`);
    return row;
  };
}

function parse(what: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new VaneError('STORE_CORRUPT', `${what} cannot be read`, { cause });
  }
}

function inKeyOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
