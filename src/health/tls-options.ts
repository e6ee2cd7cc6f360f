import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import type { ServerTls } from '../config/runtime/servers.ts';

/** What Node's `tls.connect` and `https.request` need to speak to a server as `tls` says. */
export function tlsOptions({
  verify,
  ca,
  name,
}: ServerTls): Pick<ConnectionOptions, 'servername' | 'rejectUnauthorized' | 'checkServerIdentity' | 'ca'> {
  return {
    // SNI is for names alone (RFC 6066, section 3).
    servername: isIP(name) === 0 ? name : '',
    rejectUnauthorized: verify,
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    ...(ca === undefined ? {} : { ca }),
  };
}
