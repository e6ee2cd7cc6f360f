import { asVaneError, VaneError } from '../../core/errors.ts';
import { isVipInstance } from '../../mysql/registrations/builtin-instances.ts';
import { snapshotOf } from '../../registry/snapshot-rows.ts';
import { LARGEST_ARCHIVE, readSnapshot, type Snapshot, writeSnapshot } from '../snapshot/archive.ts';
import { type Answer, empty } from './answer.ts';
import type { ApiContext } from './context.ts';
import { checkDatacenter } from './query.ts';
import { command, Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import type { Call, Route } from './route.ts';

/** https://developer.hashicorp.com/consul/api-docs/snapshot */
export function snapshotRoutes(api: ApiContext): readonly Route[] {
  return [
    {
      path: '/v1/snapshot',
      methods: { GET: (call) => save(api, call), PUT: (call) => restore(api, call) },
      maxBody: LARGEST_ARCHIVE,
    },
  ];
}

async function save(api: ApiContext, call: Call): Promise<Answer> {
  demand(call.rights.admin);
  const { catalog } = api.registry;
  checkDatacenter(call.query.get('dc'), catalog.datacenter);
  const { self: node, datacenter } = catalog;
  const snapshot = snapshotOf(catalog);
  const bytes = await writeSnapshot(snapshot, { node, datacenter, index: snapshot.index }, api.clock.wall());
  const headers = {
    'X-Consul-Index': String(snapshot.index),
    'X-Consul-Knownleader': 'true',
    'X-Consul-Lastcontact': '0',
  };
  return { status: 200, headers, content: { bytes, type: 'application/x-gzip' } };
}

async function restore(api: ApiContext, call: Call): Promise<Answer> {
  demand(call.rights.admin);
  const { catalog } = api.registry;
  checkDatacenter(call.query.get('dc'), catalog.datacenter);
  const { rows, meta } = await read(call.bytes);
  // Reading takes a while, in which a token may have been taken back.
  demand(call.rights.admin);
  const { node, index, saved } = meta;
  const at = await command(
    api.registry.restore({ rows, node, index, keeps: ({ meta: own }) => isVipInstance(own) }, call.cause),
    400,
  );
  const { length: services } = rows.services;
  const fields = { by: call.cause.by, saved, node, services, keys: rows.kv.length, index: at };
  api.log.warn(fields, 'registry restored from a snapshot');
  return empty();
}

async function read(archive: Buffer): Promise<Snapshot> {
  try {
    return await readSnapshot(archive);
  } catch (error) {
    if (!(error instanceof VaneError)) throw error;
    throw new Refusal(400, asVaneError(error).message, { cause: error });
  }
}
