import { z } from 'zod';
import { AskFailure, type ConsulAnswer } from '../../discovery/consul/http-api.ts';

/** Bytes; a Consul takes half of it (`kv_max_value_size`) unless it is told otherwise. */
export const LARGEST_CONFIGURATION = 1024 * 1024;

/** What `GET /v1/kv/KEY` answers with; Go writes null for a value of no bytes. */
const ENTRIES = z.tuple([z.object({ Value: z.string().nullable() })]);

/** The text of a key's value. Throws an {@link AskFailure} when it can be no configuration. */
export function textOfValue({ url, body }: ConsulAnswer): string {
  const json: unknown = JSON.parse(body.toString());
  const [{ Value }] = ENTRIES.parse(json);
  const value = Buffer.from(Value ?? '', 'base64');
  const refuse = (why: string) =>
    new AskFailure('CONFIG_INVALID', `the value that ${url} has ${why}`, { busy: true });
  if (value.length > LARGEST_CONFIGURATION) {
    throw refuse(`is of ${value.length} bytes: at most ${LARGEST_CONFIGURATION} are read`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    throw refuse('is not UTF-8 text');
  }
}
