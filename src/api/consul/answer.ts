/** What a route has to say; the transport turns it into bytes. */
export interface Answer {
  readonly status: number;
  /** Names in Go's canonical spelling, as they go out on the wire. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: an empty body without a Content-Type. */
  readonly content: /** A `SharedJson` is sent as it is, never indented. */
    | { readonly json: unknown }
    | { readonly text: string; readonly type: string }
    | { readonly bytes: Uint8Array; readonly type: string }
    | undefined;
}

/** Consul's errors: plain text, no newline. */
const PLAIN = 'text/plain; charset=utf-8';

export function json(value: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): Answer {
  return { status, headers, content: { json: value } };
}

export function text(
  status: number,
  words: string,
  headers: Readonly<Record<string, string>> = {},
  type = PLAIN,
): Answer {
  return { status, headers, content: { text: words, type } };
}

export function empty(status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, content: undefined };
}
