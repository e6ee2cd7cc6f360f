import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { type Answer, decode, encode, type RecordType } from 'dns-packet';

/** One query as the scripted nameserver received it. */
export interface Asked {
  /** As sent, without a trailing dot. */
  readonly name: string;
  readonly type: string;
  readonly id: number;
  readonly transport: 'udp' | 'tcp';
  /** EDNS0 size announced by the asker; undefined without EDNS0. */
  readonly payloadSize: number | undefined;
  /** The asker's port. */
  readonly port: number;
  /** 1 for the first query this server ever got. */
  readonly nth: number;
}

/** One datagram or TCP message. What is left out is as an honest server would send it. */
export interface Reply {
  readonly rcode?: keyof typeof RCODES;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
  /** Sets the TC bit. */
  readonly truncated?: boolean;
  /** A wrong transaction id. */
  readonly id?: number;
  /** A wrong question; null leaves the question section out. */
  readonly question?: { readonly name: string; readonly type: RecordType } | null;
  /** UDP only: sent from another port than the one asked. */
  readonly fromOtherPort?: boolean;
  /** False clears the QR bit: the reply is itself a query. */
  readonly response?: boolean;
  /** Sent as it is, in place of everything above. */
  readonly raw?: Buffer;
}

/** What to do about a query: one message, several in this order, or silence. Over TCP `hangup` closes. */
export type Reaction = Reply | readonly Reply[] | 'drop' | 'hangup';

export type Script = (asked: Asked) => Reaction | Promise<Reaction>;

/** A real nameserver on loopback, UDP and TCP on one port, that answers as a test tells it to. */
export interface ScriptedDnsServer {
  readonly host: string;
  readonly port: number;
  /** Every query so far, in order of arrival. */
  readonly asked: readonly Asked[];
  /** Replaces the script from the next query on. */
  script(script: Script): void;
  close(): Promise<void>;
}

const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };
const FLAG_TC = 0x0200;
const FLAG_RA = 0x0080;
const HEADER_BYTES = 12;

/**
 * Starts a nameserver that follows `script`. A script may return a promise: it then answers when the test
 * lets it. Close it in `afterEach`.
 */
export async function startDnsServer(script: Script, host = '127.0.0.1'): Promise<ScriptedDnsServer> {
  const { tcp, udp, port } = await listenOnBoth(host);
  const decoy = await boundUdp(host, 0);
  const connections = new Set<Socket>();
  const asked: Asked[] = [];
  let current = script;

  const react = async (query: Buffer, from: Pick<Asked, 'transport' | 'port'>) => {
    const seen = readQuery(query, from, asked.length + 1);
    asked.push(seen);
    const reaction = await current(seen);
    if (reaction === 'drop' || reaction === 'hangup') return reaction;
    return (isList(reaction) ? reaction : [reaction]).map((reply) => ({
      wire: encodeReply(seen, reply),
      fromOtherPort: reply.fromOtherPort === true,
    }));
  };

  udp.on('message', async (query, from) => {
    const messages = await react(query, { transport: 'udp', port: from.port });
    if (typeof messages === 'string') return;
    for (const { wire, fromOtherPort } of messages) {
      // A socket that the test has closed meanwhile must not fail it.
      (fromOtherPort ? decoy : udp).send(wire, from.port, from.address, () => {});
    }
  });

  tcp.on('connection', (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    let buffered = Buffer.alloc(0);
    // Each query is answered when it can be, whatever was asked before it (RFC 7766 section 6.2.1.1).
    const answer = async (query: Buffer) => {
      const messages = await react(query, { transport: 'tcp', port: connection.remotePort ?? 0 });
      if (messages === 'hangup') connection.end();
      if (typeof messages === 'string') return;
      for (const { wire } of messages) connection.write(Buffer.concat([lengthPrefix(wire.length), wire]));
    };
    connection.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        void answer(buffered.subarray(2, end));
        buffered = buffered.subarray(end);
      }
    });
  });

  return {
    host,
    port,
    asked,
    script(next) {
      current = next;
    },
    async close() {
      for (const connection of connections) connection.destroy();
      await Promise.all([
        new Promise((resolve) => tcp.close(resolve)),
        new Promise<void>((resolve) => udp.close(resolve)),
        new Promise<void>((resolve) => decoy.close(resolve)),
      ]);
    },
  };
}

/** A record for {@link Reply}; A or AAAA by the look of the address. */
export function address(name: string, data: string, ttl = 60): Answer {
  return { name, type: data.includes(':') ? 'AAAA' : 'A', ttl, data };
}

export function cname(name: string, data: string, ttl = 60): Answer {
  return { name, type: 'CNAME', ttl, data };
}

export function srv(name: string, target: string, port: number, weight = 1, priority = 1, ttl = 60): Answer {
  return { name, type: 'SRV', ttl, data: { target, port, weight, priority } };
}

/** The SOA that marks a negative answer (RFC 2308). */
export function soa(name: string, ttl = 60): Answer {
  return { name, type: 'SOA', ttl, data: { mname: `ns.${name}`, rname: `hostmaster.${name}`, serial: 1 } };
}

function readQuery(query: Buffer, from: Pick<Asked, 'transport' | 'port'>, nth: number): Asked {
  const packet = decode(query);
  const question = packet.questions?.[0];
  let payloadSize: number | undefined;
  for (const record of packet.additionals ?? []) {
    if (record.type === 'OPT') payloadSize = record.udpPayloadSize;
  }
  return {
    name: question?.name ?? '',
    type: question?.type ?? '',
    id: packet.id ?? 0,
    payloadSize,
    nth,
    ...from,
  };
}

function encodeReply(asked: Asked, reply: Reply): Buffer {
  if (reply.raw) return reply.raw;
  const question = reply.question === undefined ? { name: asked.name, type: asked.type } : reply.question;
  const wire = encode({
    type: 'response',
    id: reply.id ?? asked.id,
    flags: RCODES[reply.rcode ?? 'NOERROR'] | FLAG_RA | (reply.truncated ? FLAG_TC : 0),
    questions: question ? [{ name: question.name, type: question.type as RecordType }] : [],
    answers: [...(reply.answers ?? [])],
    authorities: [...(reply.authorities ?? [])],
    additionals: [...(reply.additionals ?? [])],
  });
  if (reply.response === false) wire.writeUInt8(wire.readUInt8(2) & 0x7f, 2);
  return wire;
}

/** A reply to `asked` whose only answer has a name that points at itself: endless for a careless reader. */
export function compressionLoop(asked: Asked): Buffer {
  const honest = encodeReply(asked, {});
  const end = honest.length;
  const record = Buffer.alloc(2 + 10 + 4);
  record.writeUInt16BE(0xc000 | end, 0);
  record.writeUInt16BE(1, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt16BE(4, 10);
  const wire = Buffer.concat([honest, record]);
  wire.writeUInt16BE(1, HEADER_BYTES - 6);
  return wire;
}

async function listenOnBoth(host: string): Promise<{ tcp: Server; udp: UdpSocket; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const tcp = createServer();
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(0, host, resolve);
    });
    const bound = tcp.address();
    if (bound === null || typeof bound === 'string') throw new Error('not listening on a port');
    try {
      return { tcp, udp: await boundUdp(host, bound.port), port: bound.port };
    } catch (error) {
      await new Promise((resolve) => tcp.close(resolve));
      if (attempt === 10) throw error;
    }
  }
}

function boundUdp(host: string, port: number): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    // Room for every query of a test that sends hundreds at once.
    const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function lengthPrefix(length: number): Buffer {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(length);
  return prefix;
}

function isList(reaction: Reply | readonly Reply[]): reaction is readonly Reply[] {
  return Array.isArray(reaction);
}
