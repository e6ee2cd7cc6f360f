import { VaneError } from '../../core/errors.ts';
import type {
  Check,
  CheckDefinition,
  CheckKind,
  Indexed,
  Instance,
  RegistryNode,
  ServiceAddress,
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
const isScript = fields<KindOf<'script'>>({
  kind: literal('script'),
  args: listOf(isString),
  shell: isString,
});
const isTtl = fields<KindOf<'ttl'>>({ kind: literal('ttl') });
const isAlias = fields<KindOf<'alias'>>({ kind: literal('alias'), node: isString, serviceId: isString });

const isDefinition = fields<CheckDefinition>({
  kind: oneOf(oneOf(oneOf(isHttp, isTcp), oneOf(isScript, isTtl)), isAlias),
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
});

function decoder<T extends object>(
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
