import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import dnsPacket, { type Packet } from 'dns-packet';
import { freeAddresses } from './free-port.ts';

type Behaviour = 'answers' | 'silent' | 'garbage' | 'nxdomain' | 'truncated';

/** A nameserver that answers A queries for any name with what it is told to, well or badly. */
export interface ScriptedNameserver extends AsyncDisposable {
  /** `127.0.0.1:PORT`, over UDP and TCP. */
  readonly at: string;
  addresses: readonly string[];
  behaviour: Behaviour;
  ttl: number;
  /** Queries so far. */
  readonly queries: number;
}

const AUTHORITATIVE = 0x0400;
const NXDOMAIN = 3;

export async function startScriptedNameserver(addresses: readonly string[]): Promise<ScriptedNameserver> {
  const [at = ''] = await freeAddresses(1);
  const port = Number(at.split(':')[1]);
  let queries = 0;
  const udp = createSocket('udp4');
  const server: ScriptedNameserver = {
    at,
    addresses,
    behaviour: 'answers',
    ttl: 60,
    get queries() {
      return queries;
    },
    async [Symbol.asyncDispose]() {
      udp.close();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
  udp.on('message', (query, from) => {
    queries++;
    const answer = udpAnswer(server, query);
    if (answer) udp.send(answer, from.port, from.address);
  });
  const tcp = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const answer = dnsPacket.encode(reply(server, bytes.subarray(2)));
      socket.end(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 0xff]), answer]));
    });
  });
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => tcp.listen(port, '127.0.0.1', resolve));
  return server;
}

function udpAnswer(server: ScriptedNameserver, query: Buffer): Buffer | undefined {
  const { behaviour } = server;
  if (behaviour === 'silent') return undefined;
  // The id is right, so that it is not passed over as a stray datagram.
  if (behaviour === 'garbage') return Buffer.concat([query.subarray(0, 2), Buffer.alloc(40, 0xc1)]);
  const whole = reply(server, query);
  const flags = whole.flags ?? 0;
  if (behaviour === 'nxdomain') return dnsPacket.encode({ ...whole, answers: [], flags: flags | NXDOMAIN });
  if (behaviour === 'truncated') {
    return dnsPacket.encode({ ...whole, answers: [], flags: flags | dnsPacket.TRUNCATED_RESPONSE });
  }
  return dnsPacket.encode(whole);
}

function reply({ addresses, ttl }: ScriptedNameserver, query: Buffer): Packet {
  const { id, questions = [] } = dnsPacket.decode(query);
  const [question] = questions;
  const answers =
    question?.type === 'A'
      ? addresses.map((data) => ({ type: 'A', name: question.name, ttl, data }) as const)
      : [];
  return { type: 'response', ...(id === undefined ? {} : { id }), flags: AUTHORITATIVE, questions, answers };
}
