import { constants, type ServerHttp2Stream } from 'node:http2';
import { KeptBody } from '../compat/kept-body.ts';
import type { ClientSide } from '../compat/site.ts';
import type { StreamReply } from './stream-reply.ts';

/** The client of a request that has one stream of a connection. */
export class StreamSide implements ClientSide {
  readonly incoming: ServerHttp2Stream;
  readonly kept = new KeptBody();
  readonly reply: StreamReply;
  readonly upgradable = undefined;
  readonly #headOctets: number;
  #isCut = false;

  /** @param headOctets what the head of the request counts */
  constructor(stream: ServerHttp2Stream, reply: StreamReply, headOctets: number) {
    this.incoming = stream;
    this.reply = reply;
    this.#headOctets = headOctets;
  }

  get taker(): ServerHttp2Stream {
    return this.incoming;
  }

  /** By us: that the stream is over then is no news. */
  get isCut(): boolean {
    return this.#isCut;
  }

  get gone(): boolean {
    return this.incoming.destroyed || this.incoming.closed;
  }

  /** Other requests on the connection go on: what is not read is told to stop behind the answer. */
  get unread(): boolean {
    return false;
  }

  get bytesIn(): number {
    return this.#headOctets + this.kept.taken;
  }

  get bytesOut(): number {
    return this.reply.octets;
  }

  cut(): void {
    this.#isCut = true;
    if (!this.gone) this.incoming.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}
