import { isRead, type TxnOp, type TxnRow } from '../../registry/txn-ops.ts';
import { type Answer, json } from './answer.ts';
import type { ApiContext } from './context.ts';
import { checkJson, nodeJson, nodeServiceJson } from './encode.ts';
import { kvJson } from './kv-encode.ts';
import { checkDatacenter, readOptions } from './query.ts';
import { command, Refusal } from './refusal.ts';
import { type Call, put, type Route } from './route.ts';
import { decodeTxn, txnOp } from './txn-request.ts';
import { isShown, vetTxnOp } from './vet-txn.ts';

const MOST_OPERATIONS = 64;

/** https://developer.hashicorp.com/consul/api-docs/txn */
export function txnRoutes(api: ApiContext): readonly Route[] {
  return [{ ...put('/v1/txn', (call) => transact(api, call)), readsByWriting: true }];
}

async function transact(api: ApiContext, call: Call): Promise<Answer> {
  const bodies = decodeTxn(call.body, api.lenientFields);
  if (bodies.length > MOST_OPERATIONS) {
    const what = `${bodies.length} > ${MOST_OPERATIONS}`;
    throw new Refusal(413, `Transaction contains too many operations (${what})`);
  }
  const { datacenter } = api.registry.catalog;
  const ops: TxnOp[] = [];
  const refused: TxnErrorJson[] = [];
  for (const body of bodies) {
    try {
      const op = txnOp(body, datacenter);
      if (!op) continue;
      vetTxnOp(call.rights, api.registry.catalog, op);
      ops.push(op);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refused.push({ OpIndex: ops.length + refused.length, What: error.message });
    }
  }
  const reads = ops.every(isRead);
  if (reads) readOptions(call.query, call.header('cache-control'));
  checkDatacenter(call.query.get('dc'), datacenter);
  if (refused.length > 0) return outcome([], refused, false);
  const { rows, errors } = await command(api.registry.transactions.run(ops, call.cause), 500);
  const { rights } = call;
  return outcome(
    rows.filter((row) => isShown(rights, row)),
    errors.map(({ op, what }) => ({ OpIndex: op, What: what })),
    reads,
  );
}

interface TxnErrorJson {
  readonly OpIndex: number;
  readonly What: string;
}

/** Consul lets the details of a read slip into its answer. */
const READ_META = { Index: 0, LastContact: 0, KnownLeader: true, ConsistencyLevel: '', NotModified: false };

function outcome(rows: readonly TxnRow[], errors: readonly TxnErrorJson[], reads: boolean): Answer {
  const failed = errors.length > 0;
  const body = {
    Results: failed ? null : rows.map(rowJson),
    Errors: failed ? errors : null,
    ...(reads ? READ_META : {}),
  };
  const headers = reads ? { 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '0' } : {};
  return json(body, headers, failed ? 409 : 200);
}

function rowJson(row: TxnRow): object {
  switch (row.kind) {
    case 'kv':
      return { KV: kvJson(row.entry, row.valued) };
    case 'node':
      return { Node: nodeJson(row.node) };
    case 'service':
      return { Service: nodeServiceJson(row.service) };
    case 'check':
      return { Check: checkJson(row.check) };
  }
}
