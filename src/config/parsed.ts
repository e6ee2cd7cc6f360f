/** What a parser of one small value makes of it: the value, or what was expected instead. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Unparsed;

export interface Unparsed {
  readonly ok: false;
  readonly message: string;
  /** Where in the text it went wrong; undefined: all of it. */
  readonly offset: number | undefined;
  readonly suggestion: string | undefined;
}

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function unparsed(message: string, offset?: number, suggestion?: string): Unparsed {
  return { ok: false, message, offset, suggestion };
}
