import { VaneError } from '../core/errors.ts';
import type { Session } from './model.ts';
import type { CatalogReader } from './reader.ts';

/** The session by that id. Throws REGISTRY_INVALID for a text that is no id, with the words of Consul's index. */
export function findSession(reader: Pick<CatalogReader, 'sessions'>, id: string): Session | undefined {
  requireSessionId(id);
  return reader.sessions.get(id.toLowerCase()).value;
}

export function requireSessionId(id: string): void {
  const problem = idProblem(id);
  if (problem === undefined) return;
  throw new VaneError('REGISTRY_INVALID', `failed session lookup: index error: ${problem}`);
}

function idProblem(id: string): string | undefined {
  if (Buffer.byteLength(id) !== 36) return 'UUID must be 36 characters';
  const digits = id.replaceAll('-', '');
  const hyphens = id.length - digits.length;
  if (hyphens > 4) return `UUID should have maximum of 4 "-"; got ${hyphens}`;
  if (digits.length % 2 !== 0) return 'Input (without hyphens) must be even length';
  const foreign = /[^0-9a-fA-F]/.exec(digits)?.[0];
  if (foreign === undefined) return undefined;
  const code = foreign.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return `Invalid UUID: encoding/hex: invalid byte: U+${code} '${foreign}'`;
}
