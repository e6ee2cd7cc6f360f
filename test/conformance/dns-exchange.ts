import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import {
  type DecodedPacket,
  decode,
  encode,
  type Packet,
  RECURSION_DESIRED,
  type RecordType,
} from 'dns-packet';
import type { Endpoint, NoAnswer } from './http-exchange.ts';
import type { DnsQuery } from './scenario.ts';

/** dns-packet says the code of an answer, too, though its types do not. */
export type DnsMessage = DecodedPacket & { readonly rcode?: string };

export interface DnsAnswer {
  readonly message: DnsMessage;
  /** Bytes. */
  readonly size: number;
  readonly ms: number;
}

const TIMEOUT_MS = 3_000;
const LENGTH_BYTES = 2;

let lastId = 0;

/** One query; over UDP it is sent twice if need be, for a lost datagram is no answer. Never rejects. */
export async function askDns(target: Endpoint, spec: DnsQuery): Promise<DnsAnswer | NoAnswer> {
  const first = await askOnce(target, spec);
  const lost = 'error' in first && first.error === 'timeout' && spec.transport !== 'tcp';
  return lost ? askOnce(target, spec) : first;
}

async function askOnce(target: Endpoint, spec: DnsQuery): Promise<DnsAnswer | NoAnswer> {
  const started = performance.now();
  const took = () => performance.now() - started;
  lastId = (lastId + 1) % 65_536;
  const wire = encode(queryOf(spec, lastId));
  try {
    const reply = await (spec.transport === 'tcp' ? overTcp(target, wire) : overUdp(target, wire, lastId));
    return { message: decode(reply), size: reply.length, ms: took() };
  } catch (error) {
    const { code, message }: NodeJS.ErrnoException =
      error instanceof Error ? error : new Error(String(error));
    return { error: code ?? message, ms: took() };
  }
}

function queryOf(spec: DnsQuery, id: number): Packet {
  const question = { type: spec.type as RecordType, name: spec.name, class: 'IN' as const };
  const opt = { type: 'OPT' as const, name: '.', flags: 0, options: [] };
  return {
    type: 'query',
    id,
    flags: (spec.rd === false ? 0 : RECURSION_DESIRED) | ((spec.opcode ?? 0) << 11),
    questions: [question],
    additionals: spec.edns === undefined ? [] : [{ ...opt, ...optDefaults, udpPayloadSize: spec.edns }],
  };
}

/** What dns-packet's types want of an OPT record and its encoder fills in by itself. */
const optDefaults = { extendedRcode: 0, ednsVersion: 0, flag_do: false };

function overUdp(target: Endpoint, wire: Buffer, id: number): Promise<Buffer> {
  const socket = createSocket(target.host.includes(':') ? 'udp6' : 'udp4');
  return new Promise<Buffer>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('timeout')), TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.on('error', reject);
    socket.on('message', (reply) => {
      if (reply.length >= LENGTH_BYTES && reply.readUInt16BE(0) === id) resolve(reply);
    });
    socket.send(wire, target.port, target.host);
  }).finally(() => socket.close());
}

/** RFC 1035 section 4.2.2: each message after its length. */
function overTcp(target: Endpoint, wire: Buffer): Promise<Buffer> {
  const socket = connect(target.port, target.host);
  return new Promise<Buffer>((resolve, reject) => {
    let received = Buffer.alloc(0);
    socket.setTimeout(TIMEOUT_MS, () => reject(new Error('timeout')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < LENGTH_BYTES) return;
      const end = LENGTH_BYTES + received.readUInt16BE(0);
      if (received.length >= end) resolve(received.subarray(LENGTH_BYTES, end));
    });
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt16BE(wire.length);
    socket.write(Buffer.concat([length, wire]));
  }).finally(() => socket.destroy());
}
