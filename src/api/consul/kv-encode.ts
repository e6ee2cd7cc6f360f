import type { KvEntry } from '../../registry/model.ts';

/** A key as Consul shows it. Without its value, as transactions answer writes, or with an empty one, that is null. */
export function kvJson(entry: KvEntry, valued = true): object {
  const { key, value, session, lockIndex, createIndex, modifyIndex } = entry;
  return {
    LockIndex: lockIndex,
    Key: key,
    Flags: unsignedJson(entry.flags),
    Value: valued && value.byteLength > 0 ? base64(value) : null,
    ...(session === '' ? {} : { Session: session }),
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  };
}

function base64(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
}

/** https://github.com/tc39/proposal-json-parse-with-source: known to Node, not to the checker yet. */
interface RawJson {
  rawJSON(text: string): unknown;
}

/** 64 bits, digit by digit. */
function unsignedJson(digits: string): unknown {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : (JSON as JSON & RawJson).rawJSON(BigInt(digits).toString());
}
