/** A TCP or UDP address to listen on. Port 0 lets the system choose. */
export interface BindAddress {
  readonly host: string;
  readonly port: number;
}

/** Which connections have to begin with a head of the PROXY protocol. */
export interface ExpectProxy {
  /** Networks whose connections do; undefined: all. */
  readonly from: readonly string[] | undefined;
}

/** An address that clients come to, themselves or through a proxy that says whom it brings. */
export interface ClientBind extends BindAddress {
  readonly expectProxy?: ExpectProxy;
}

/** An address of a frontend. */
export interface FrontendBind extends ClientBind {
  /** Absent: connections come in the clear. */
  readonly tls?: TlsBind;
  /** What clients speak that agree on nothing (HAProxy: `proto`). Absent: HTTP/1. */
  readonly proto?: 'h2';
}

export interface TlsBind {
  /** The first is for clients that ask for no name, or for none that another one is for. */
  readonly certificates: readonly Certificate[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Protocols to agree on (ALPN, RFC 7301), best first; empty: clients that ask get none. */
  readonly alpn: readonly AlpnProtocol[];
}

export type AlpnProtocol = 'h2' | 'http/1.1';

export interface Certificate {
  /** As the user wrote it. */
  readonly file: string;
  /** PEM: the certificate and those that lead to its root. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Host names in lower case; `*.example.com` covers one label. */
  readonly names: readonly string[];
}
