/** Outside nameservers. The id `builtin` is reserved for the registry in this process. */
export interface ResolversConfig {
  readonly id: string;
  readonly nameservers: readonly {
    readonly name: string;
    readonly transport: 'udp' | 'tcp';
    readonly host: string;
    readonly port: number;
  }[];
  /** Sends per resolution before it counts as failed. */
  readonly resolveRetries: number;
  readonly timeoutRetry: number;
  /** EDNS0 size announced, bytes. */
  readonly acceptedPayloadSize: number;
}
