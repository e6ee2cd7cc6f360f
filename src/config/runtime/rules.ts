/** A condition: any of the groups, each of which needs all of its terms (HAProxy: `if a b || c`). */
export interface Condition {
  readonly unless: boolean;
  readonly anyOf: readonly (readonly Term[])[];
}

export interface Term {
  readonly negated: boolean;
  /** A named acl is resolved to all tests declared under its name; one that holds is enough. */
  readonly tests: readonly AclTest[];
}

/** One `acl` declaration or anonymous `{ … }`: sample fetch, match method, patterns (any may match). */
export interface AclTest {
  readonly fetch:
    | {
        readonly kind:
          | 'path'
          | 'url'
          | 'query'
          | 'method'
          | 'src'
          | 'ssl_fc'
          | 'always_true'
          | 'always_false';
      }
    | { readonly kind: 'hdr'; readonly header: string };
  readonly match: 'str' | 'beg' | 'end' | 'sub' | 'dir' | 'dom' | 'reg' | 'ip' | 'found' | 'bool';
  readonly ignoreCase: boolean;
  readonly patterns: readonly string[];
}

export type HttpRequestRule = { readonly condition: Condition | undefined } & (
  | { readonly action: 'deny'; readonly status: number }
  | {
      readonly action: 'return';
      readonly status: number;
      readonly contentType: string | undefined;
      readonly body: string;
    }
  | {
      readonly action: 'redirect';
      readonly type: 'location' | 'prefix' | 'scheme';
      readonly to: string;
      readonly code: number;
    }
  | {
      readonly action: 'set-header' | 'add-header';
      readonly header: string;
      readonly value: string;
    }
  | { readonly action: 'del-header'; readonly header: string }
  | { readonly action: 'set-path'; readonly value: string }
);
