import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSnapshot, writeSnapshot } from '../../../../src/api/snapshot/archive.ts';
import { readTar, type TarFile, writeTar } from '../../../../src/api/snapshot/tar.ts';
import { VaneError } from '../../../../src/core/errors.ts';
import type { SnapshotRows } from '../../../../src/registry/snapshot-rows.ts';

const NONE: SnapshotRows = { nodes: [], services: [], checks: [], sessions: [], kv: [], queries: [] };
const META = { node: 'lb-1', datacenter: 'dc1', index: 7 };

function entry(key: string, value: string | Uint8Array) {
  return { key, value: Buffer.from(value), flags: '18446744073709551615', lockIndex: 2, session: '' };
}

async function refusal(archive: Buffer): Promise<string> {
  try {
    await readSnapshot(archive);
  } catch (error) {
    if (error instanceof VaneError && error.code === 'STORE_CORRUPT') return error.message;
    throw error;
  }
  return 'none';
}

/** A sound archive with some of its files made anew. */
async function altered(alter: (files: Map<string, Buffer>) => void, sums = true): Promise<Buffer> {
  const archive = await writeSnapshot({ ...NONE, kv: [entry('a', 'b')] }, META, 0);
  const files = new Map(readTar(gunzipSync(archive))?.map(({ name, content }) => [name, content]));
  alter(files);
  if (sums) {
    const lines = ['meta.json', 'state.bin'].map(
      (name) =>
        `${createHash('sha256')
          .update(files.get(name) ?? '')
          .digest('hex')}  ${name}\n`,
    );
    files.set('SHA256SUMS', Buffer.from(lines.join('')));
  }
  return gzipSync(
    writeTar(
      [...files].map(([name, content]) => ({ name, content })),
      0,
    ),
  );
}

describe('a snapshot', () => {
  test('is read as it was written, bytes and all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.uint8Array()), { maxLength: 20 }),
        async (pairs) => {
          const rows = { ...NONE, kv: pairs.map(([key, value]) => entry(key, value)) };
          const read = await readSnapshot(await writeSnapshot(rows, META, 1_000));
          expect(read.rows.kv).toEqual(rows.kv);
          expect(read.meta).toEqual({ ...META, saved: '1970-01-01T00:00:01.000Z' });
        },
      ),
      { numRuns: 30 },
    );
  });

  test('holds the files of a snapshot of Consul, with sums that sha256sum understands', async () => {
    const files = readTar(gunzipSync(await writeSnapshot(NONE, META, 0)));
    expect(files?.map(({ name }) => name)).toEqual(['meta.json', 'state.bin', 'SHA256SUMS']);
    expect(files?.[2]?.content.toString()).toMatch(
      /^[\da-f]{64} {2}meta\.json\n[\da-f]{64} {2}state\.bin\n$/,
    );
  });
});

describe('refused is', () => {
  test('what is no archive, or only a part of one', async () => {
    const whole = await writeSnapshot(NONE, META, 0);
    expect(await refusal(Buffer.from('no archive'))).toContain('not compressed by gzip');
    expect(await refusal(Buffer.alloc(0))).toContain('not compressed by gzip');
    expect(await refusal(whole.subarray(0, whole.length - 9))).toContain('not all of it is there');
    expect(await refusal(gzipSync('no tar'))).toContain('no tar archive');
    const tar = gunzipSync(whole);
    expect(await refusal(gzipSync(tar.subarray(0, tar.length - 1024)))).toContain('not all of one');
  });

  test.each<[string, (files: Map<string, Buffer>) => void, string]>([
    [
      'a snapshot of Consul',
      (files) => files.set('meta.json', Buffer.from('{"Version":1,"ID":"2-10-1","Index":10,"Term":2}')),
      'only what Vane has saved can be restored, not a snapshot of Consul',
    ],
    [
      'a later format',
      (files) =>
        files.set(
          'meta.json',
          Buffer.from(String(files.get('meta.json')).replace('"Format":1', '"Format":2')),
        ),
      'its format is version 2, and this Vane knows version 1',
    ],
    [
      'an index that cannot be',
      (files) =>
        files.set(
          'meta.json',
          Buffer.from(String(files.get('meta.json')).replace('"Index":7', '"Index":1e300')),
        ),
      'meta.json lacks something',
    ],
    ['meta data that are no JSON', (files) => files.set('meta.json', Buffer.from('x')), 'cannot be read'],
    ['a missing file', (files) => files.delete('state.bin'), 'its files are not'],
    ['another file', (files) => files.set('x', Buffer.alloc(0)), 'its files are not'],
    ['an unknown table', (files) => files.set('state.bin', Buffer.from('acl {}\n')), 'line 1'],
    ['a row that is none', (files) => files.set('state.bin', Buffer.from('kv {"key":1}\n')), 'line 1'],
    [
      'half a line',
      (files) => files.set('state.bin', Buffer.from('kv {"key"')),
      'its last line is not whole',
    ],
  ])('%s', async (_what, alter, message) => {
    expect(await refusal(await altered(alter))).toContain(message);
  });

  test('what does not have its sum', async () => {
    const archive = await altered((files) => files.set('state.bin', Buffer.from('kv {}\n')), false);
    expect(await refusal(archive)).toContain('state.bin does not have the sum that SHA256SUMS says');
  });
});

test('tar archives are read as they were written', () => {
  const file = fc.record({
    name: fc.stringMatching(/^[a-z0-9.]{1,99}$/),
    content: fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 4 }), (files: TarFile[]) => {
      expect(readTar(writeTar(files, 0))).toEqual(files);
    }),
  );
});
