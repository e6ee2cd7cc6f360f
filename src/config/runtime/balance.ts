/** How servers are chosen (HAProxy: balance, hash-type, hash-key, hash-balance-factor). */
export type BalanceAlgorithm =
  | { readonly kind: 'roundrobin' }
  | { readonly kind: 'static-rr' }
  | { readonly kind: 'leastconn' }
  | { readonly kind: 'first' }
  | { readonly kind: 'peak-ewma' }
  | { readonly kind: 'random'; readonly draws: number }
  | { readonly kind: 'hash'; readonly by: HashSubject; readonly hash: HashConfig };

/** What of a piece of work is hashed. Where it is missing, or there is no such thing (TCP), servers take turns. */
export type HashSubject =
  | { readonly kind: 'source' }
  | {
      readonly kind: 'uri';
      /** With the query string. */
      readonly whole: boolean;
      /** Only so many characters; 0: all. */
      readonly len: number;
      /** Only so many path segments; 0: all. */
      readonly depth: number;
    }
  | { readonly kind: 'url_param'; readonly name: string }
  | { readonly kind: 'hdr'; readonly name: string };

export interface HashConfig {
  readonly type: 'map-based' | 'consistent';
  readonly function: 'sdbm' | 'djb2' | 'crc32';
  readonly avalanche: boolean;
  /** What a server is known by on the consistent ring: its name, its address, or that with the port. */
  readonly key: 'id' | 'addr' | 'addr-port';
  /** Percent of its share that a server of the consistent ring may be loaded to; 0: any. */
  readonly balanceFactor: number;
}
