import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import { type Relay, relay } from '../../tcp/relay.ts';

export interface TunnelOptions {
  readonly client: Socket;
  readonly server: Socket;
  /** The server's answer 101. */
  readonly message: IncomingMessage;
  /** What each side has said behind its head. */
  readonly fromClient: Buffer | undefined;
  readonly fromServer: Buffer;
  readonly clock: Clock;
  /** Milliseconds of silence allowed; 0: no limit. */
  readonly idle: number;
}

export type Tunnel = Pick<Relay, 'ended' | 'close'>;

/** Tells the client that protocols are switched, as the server said it, and joins the two connections. */
export function openTunnel({ message, fromClient, client, ...rest }: TunnelOptions): Tunnel {
  client.write(renderHead(message), 'latin1');
  return relay({ client, ...rest, webSocket: true, ...(fromClient && { fromClient }) });
}

function renderHead({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  let text = `HTTP/1.1 ${statusCode} ${statusMessage ?? ''}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${text}\r\n`;
}
