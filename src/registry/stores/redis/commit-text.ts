import { VaneError } from '../../../core/errors.ts';
import type { Expectation } from '../../expectations.ts';
import type { Cause, Change } from '../../model.ts';

/** What a commit says, without its index. */
export interface CommitBody {
  readonly changes: readonly Change[];
  readonly cause: Cause;
  readonly expects: readonly Expectation[];
  /** Of one that puts back rows of a registry that was lost: the last commit of that one that its writer knew. */
  readonly asOf?: number | undefined;
}

const VERSION = 1;

/** A commit as JSON. Values of keys are bytes, which JSON has not: they are in base64. */
export function encodeCommit({ changes, cause, expects, asOf }: CommitBody): string {
  const written = changes.map((change) => {
    if (change.op !== 'put-kv') return change;
    const { value, ...rest } = change.entry;
    return { ...change, entry: { ...rest, value: Buffer.from(value).toString('base64') } };
  });
  return JSON.stringify({ version: VERSION, changes: written, cause, expects, asOf });
}

/** Throws STORE_CORRUPT for what is no commit that this version of Vane could have written. */
export function decodeCommit(index: number, text: string): CommitBody {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new VaneError('STORE_CORRUPT', `commit ${index} in Redis is no JSON`, { cause: error });
  }
  if (!isCommit(body)) {
    const message = `commit ${index} in Redis is not one that this version of Vane knows`;
    throw new VaneError('STORE_CORRUPT', message);
  }
  return { ...body, changes: body.changes.map(withBytes) };
}

/** What is in there was checked by the node that wrote it; nobody else writes to these keys. */
function isCommit(body: unknown): body is CommitBody {
  if (typeof body !== 'object' || body === null) return false;
  const { version, changes, cause, expects }: Partial<Record<string, unknown>> = { ...body };
  return version === VERSION && Array.isArray(changes) && Array.isArray(expects) && cause instanceof Object;
}

function withBytes(change: Change): Change {
  if (change.op !== 'put-kv') return change;
  const value = Buffer.from(String(change.entry.value), 'base64');
  return { ...change, entry: { ...change.entry, value } };
}
