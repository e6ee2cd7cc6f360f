/** How the load balancer checks the servers of a backend: HAProxy's `option httpchk` and its kin. */

/** HAProxy's `option httpchk`, `http-check send` and `http-check expect`. */
export interface HttpCheck {
  readonly method: string;
  readonly uri: string;
  /** Undefined: HTTP/1.1. */
  readonly version?: '1.0' | '1.1' | undefined;
  /** As written, in order. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** All must hold; none: any 2xx or 3xx is good. */
  readonly expect?: readonly HttpExpect[];
  /** A server that answers 404 gets no new work but keeps what it has. */
  readonly disableOn404?: boolean;
}

/** One `http-check expect`; `negated` is its `!`. */
export type HttpExpect = { readonly negated: boolean } & (
  | { readonly kind: 'status'; readonly ranges: readonly (readonly [from: number, to: number])[] }
  | { readonly kind: 'rstatus' | 'rstring'; readonly pattern: string }
  | { readonly kind: 'string'; readonly text: string }
);

/** Checks that speak something else than HTTP. */
export type DialogueCheck =
  | { readonly kind: 'ssl-hello' | 'redis' }
  /** Undefined: the server's greeting is enough. */
  | { readonly kind: 'mysql'; readonly user: string | undefined }
  | { readonly kind: 'tcp'; readonly steps: readonly TcpCheckStep[] };

/** One `tcp-check` rule. Text stands for its bytes in Latin-1. */
export type TcpCheckStep =
  | { readonly kind: 'send'; readonly bytes: string }
  | ({ readonly kind: 'expect'; readonly negated: boolean } & TcpExpect);

export type TcpExpect =
  | { readonly by: 'string'; readonly bytes: string }
  | { readonly by: 'rstring'; readonly pattern: string };

/** Where an agent is asked how its server does (HAProxy's `agent-check`). */
export interface AgentConfig {
  readonly port: number;
  /** Undefined: that of the server. */
  readonly addr: string | undefined;
  readonly inter: number;
  /** Said first; empty: nothing. */
  readonly send: string;
}
