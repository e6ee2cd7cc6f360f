/**
 * The little of tar that a snapshot needs: plain files with short names, in memory (POSIX.1-1988 ustar, as Go's
 * archive/tar writes and reads it).
 */
export interface TarFile {
  readonly name: string;
  readonly content: Buffer;
}

const BLOCK = 512;

/** What a file takes in a header, by its offset and length there. */
const NAME = [0, 100] as const;
const MODE = [100, 8] as const;
const UID = [108, 8] as const;
const GID = [116, 8] as const;
const SIZE = [124, 12] as const;
const MTIME = [136, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE = 156;
const MAGIC = 257;

const REGULAR = '0';

/** `at` in seconds since 1970. Names have at most 100 bytes, contents less than 8 GiB. */
export function writeTar(files: readonly TarFile[], at: number): Buffer {
  const blocks = files.flatMap(({ name, content }) => [
    header(name, content.length, at),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** The files of an archive; undefined where it is none. Contents are views of `archive`. */
export function readTar(archive: Buffer): readonly TarFile[] | undefined {
  const files: TarFile[] = [];
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const head = archive.subarray(at, at + BLOCK);
    if (head.every((byte) => byte === 0)) return files;
    const size = octal(head, SIZE);
    const kind = String.fromCharCode(head[TYPE] ?? 0);
    const isFile = kind === REGULAR || kind === '\0';
    if (size === undefined || !isFile || octal(head, CHECKSUM) !== checksum(head)) return undefined;
    const start = at + BLOCK;
    if (start + size > archive.length) return undefined;
    files.push({ name: text(head, NAME), content: archive.subarray(start, start + size) });
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  // Without the two empty blocks at the end, something is missing.
  return undefined;
}

function header(name: string, size: number, at: number): Buffer {
  const head = Buffer.alloc(BLOCK);
  head.write(name, NAME[0], NAME[1]);
  putOctal(head, MODE, 0o600);
  putOctal(head, UID, 0);
  putOctal(head, GID, 0);
  putOctal(head, SIZE, size);
  putOctal(head, MTIME, at);
  head.write(REGULAR, TYPE);
  head.write('ustar\0' + '00', MAGIC, 'latin1');
  putOctal(head, CHECKSUM, checksum(head));
  return head;
}

type Span = readonly [offset: number, length: number];

/** Digits up to the last byte, which is NUL. */
function putOctal(head: Buffer, [offset, length]: Span, value: number): void {
  head.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
}

function octal(head: Buffer, span: Span): number | undefined {
  const digits = text(head, span).trim();
  return /^[0-7]{1,11}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/** The sum of all bytes of the header, its own field taken for spaces. */
function checksum(head: Buffer): number {
  const [offset, length] = CHECKSUM;
  return head.reduce((sum, byte, i) => sum + (i >= offset && i < offset + length ? 0x20 : byte), 0);
}

function text(head: Buffer, [offset, length]: Span): string {
  const bytes = head.subarray(offset, offset + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? length : end);
}
