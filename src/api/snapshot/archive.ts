import { createHash, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { VaneError } from '../../core/errors.ts';
import { encodeRows, RowsReader, type SnapshotRows } from '../../registry/snapshot-rows.ts';
import { readTar, writeTar } from './tar.ts';

/**
 * A registry in one file, in the form of Consul's snapshots (agent/consul snapshot/archive.go): a gzip'd tar with
 * `meta.json`, `state.bin` and `SHA256SUMS` of both, which `sha256sum -c` checks too. What is in the state is Vane's
 * own: rows as JSON, one a line.
 */
export interface Snapshot {
  readonly rows: SnapshotRows;
  readonly meta: SnapshotMeta;
}

export interface SnapshotMeta {
  /** The node whose registry it is. */
  readonly node: string;
  readonly datacenter: string;
  /** Of the last commit in it. */
  readonly index: number;
  /** ISO 8601. */
  readonly saved: string;
}

/** Bytes of an archive, and of what is in it, that are read before it is refused. */
export const LARGEST_ARCHIVE = 128 * 1024 * 1024;
const LARGEST_CONTENT = 768 * 1024 * 1024;

const META = 'meta.json';
const STATE = 'state.bin';
const SUMS = 'SHA256SUMS';
const PROGRAM = 'vane';
const FORMAT = 1;

/** No commit comes this far; beyond it indexes would soon be no exact numbers. */
const HIGHEST_INDEX = 2 ** 50;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** `at` in milliseconds since 1970. */
export async function writeSnapshot(
  rows: SnapshotRows,
  meta: Omit<SnapshotMeta, 'saved'>,
  at: number,
): Promise<Buffer> {
  const state = await encodeState(rows);
  const told = Buffer.from(
    `${JSON.stringify({
      // The fields that Consul's tools look for.
      ...{ Version: 1, ID: randomUUID(), Index: meta.index, Term: 1, Size: state.length },
      ...{ Program: PROGRAM, Format: FORMAT, Node: meta.node, Datacenter: meta.datacenter },
      Saved: new Date(at).toISOString(),
    })}\n`,
  );
  const sums = Buffer.from(`${sha256(told)}  ${META}\n${sha256(state)}  ${STATE}\n`);
  const files = [
    { name: META, content: told },
    { name: STATE, content: state },
    { name: SUMS, content: sums },
  ];
  return compress(writeTar(files, Math.floor(at / 1000)));
}

/** Rejects with STORE_CORRUPT for what is no whole snapshot of Vane, saying why. */
export async function readSnapshot(archive: Buffer): Promise<Snapshot> {
  const files = readTar(await unpacked(archive));
  if (!files) throw corrupt('it is no tar archive, or not all of one');
  const byName = new Map(files.map(({ name, content }) => [name, content]));
  const [meta, state, sums] = [META, STATE, SUMS].map((name) => byName.get(name));
  if (!meta || !state || !sums || byName.size !== files.length || files.length !== 3) {
    throw corrupt(`its files are not ${META}, ${STATE} and ${SUMS}`);
  }
  // First of all, so that nobody looks for damage in another program's file.
  const told = readMeta(meta);
  const expected = new Map(
    sums
      .toString()
      .split('\n')
      .map((line) => [line.slice(66), line.slice(0, 64)]),
  );
  for (const [name, content] of [
    [META, meta],
    [STATE, state],
  ] as const) {
    if (expected.get(name) !== sha256(content))
      throw corrupt(`${name} does not have the sum that ${SUMS} says`);
  }
  return { meta: told, rows: await decodeState(state) };
}

async function unpacked(archive: Buffer): Promise<Buffer> {
  try {
    return await decompress(archive, { maxOutputLength: LARGEST_CONTENT });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why =
      code === 'ERR_BUFFER_TOO_LARGE'
        ? `there is more in it than ${LARGEST_CONTENT} bytes`
        : 'it is not compressed by gzip, or not all of it is there';
    throw new VaneError('STORE_CORRUPT', `${CANNOT}: ${why}`, { cause: error });
  }
}

function readMeta(content: Buffer): SnapshotMeta {
  let meta: unknown;
  try {
    meta = JSON.parse(content.toString());
  } catch (error) {
    throw new VaneError('STORE_CORRUPT', `${CANNOT}: ${META} cannot be read`, { cause: error });
  }
  const field = (name: string): unknown =>
    typeof meta === 'object' && meta !== null ? Reflect.get(meta, name) : undefined;
  if (field('Program') !== PROGRAM) {
    throw corrupt(
      "it is another program's: only what Vane has saved can be restored, not a snapshot of Consul",
    );
  }
  if (field('Format') !== FORMAT) {
    throw corrupt(`its format is version ${String(field('Format'))}, and this Vane knows version ${FORMAT}`);
  }
  const [node, datacenter, index, saved] = [
    field('Node'),
    field('Datacenter'),
    field('Index'),
    field('Saved'),
  ];
  const isIndex =
    typeof index === 'number' && Number.isSafeInteger(index) && index > 0 && index < HIGHEST_INDEX;
  if (typeof node !== 'string' || typeof datacenter !== 'string' || typeof saved !== 'string' || !isIndex) {
    throw corrupt(`${META} lacks something`);
  }
  return { node, datacenter, index, saved };
}

/** Rows at a time, so that others get their turns in between. */
const ROWS_A_TURN = 1_000;

async function encodeState(rows: SnapshotRows): Promise<Buffer> {
  const parts: Buffer[] = [];
  let lines: string[] = [];
  for (const line of encodeRows(rows)) {
    lines.push(line);
    if (lines.length < ROWS_A_TURN) continue;
    parts.push(Buffer.from(lines.join('')));
    lines = [];
    await othersTurn();
  }
  return Buffer.concat([...parts, Buffer.from(lines.join(''))]);
}

async function decodeState(state: Buffer): Promise<SnapshotRows> {
  const reader = new RowsReader();
  let rows = 0;
  for (let at = 0; at < state.length; rows++) {
    const end = state.indexOf(0x0a, at);
    if (end < 0) throw corrupt('its last line is not whole');
    reader.read(state.toString('utf8', at, end));
    at = end + 1;
    if (rows % ROWS_A_TURN === 0) await othersTurn();
  }
  return reader;
}

function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

const CANNOT = 'cannot be restored';

function corrupt(why: string): VaneError {
  return new VaneError('STORE_CORRUPT', `${CANNOT}: ${why}`);
}
