import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import { type Relay, relay } from '../../tcp/relay.ts';

export interface TunnelOptions {
  readonly client: Socket;
  readonly server: Socket;
  /** The server's answer 101. */
  readonly message: IncomingMessage;
  /** Its fields as the client gets them. Flat: name, then value. */
  readonly headers: readonly string[];
  /** What each side has said behind its head. */
  readonly fromClient: Buffer | undefined;
  readonly fromServer: Buffer;
  readonly clock: Clock;
  /** Milliseconds of silence allowed; 0: no limit. */
  readonly idle: number;
}

export type Tunnel = Pick<Relay, 'ended' | 'close'>;

/** Tells the client that protocols are switched, as the server said it, and joins the two connections. */
export function openTunnel({ message, headers, fromClient, client, ...rest }: TunnelOptions): Tunnel {
  client.write(renderHead(message, headers), 'latin1');
  return relay({ client, ...rest, webSocket: true, ...(fromClient && { fromClient }) });
}

function renderHead({ statusCode, statusMessage }: IncomingMessage, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${statusCode} ${statusMessage ?? ''}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}
