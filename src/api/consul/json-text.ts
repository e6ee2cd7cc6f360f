import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** gzip of bytes, or of a text's UTF-8. */
export const compress = promisify(gzip);

/** JSON as Go writes it. */
export function jsonText(value: unknown, pretty = false): string {
  const text = escapeHtml(JSON.stringify(value, undefined, pretty ? 4 : undefined));
  return pretty ? `${text}\n` : text;
}

/** JSON that many are answered with: written once and compressed once. */
export class SharedJson {
  readonly text: string;
  #isAsked = false;
  #bytes: Buffer | undefined;
  #compressed: Promise<Buffer> | undefined;

  constructor(value: unknown) {
    this.text = jsonText(value);
  }

  /** Bytes only from the second time on: most are for one client, and buffers outlive their use. */
  body(): string | Buffer {
    if (this.#isAsked) this.#bytes ??= Buffer.from(this.text);
    this.#isAsked = true;
    return this.#bytes ?? this.text;
  }

  compressed(): Promise<Buffer> {
    this.#compressed ??= compress(this.text);
    return this.#compressed;
  }
}

/** Go escapes these in every JSON string, so that no browser takes an answer for markup. */
function escapeHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
