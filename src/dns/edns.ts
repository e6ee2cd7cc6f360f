import { decode, type OptAnswer, type PacketOpt } from 'dns-packet';

/** What an asker says about itself in an OPT record (RFC 6891), and what is said back. */
export interface Edns {
  /** The largest datagram the asker takes, bytes. */
  readonly payloadSize: number;
  readonly version: number;
  readonly options: readonly PacketOpt[];
}

/** Announcing less means this much (RFC 6891 section 6.2.3). */
const MIN_PAYLOAD_SIZE = 512;
const CLIENT_SUBNET = 8;
/** Family, source and scope prefix length. */
const CLIENT_SUBNET_BYTES = 4;
const SCOPE_AT = 3;
export const BADVERS_EXTENDED_RCODE = 1;

/** Undefined: no OPT record. Throws on records that cannot be read, and on more than one OPT. */
export function readEdns(message: Buffer): Edns | undefined {
  const opts: OptAnswer[] = [];
  for (const record of decode(message).additionals ?? []) {
    if (record.type === 'OPT') opts.push(record);
  }
  if (opts.length > 1) throw new Error('more than one OPT record');
  const [opt] = opts;
  return opt && { payloadSize: opt.udpPayloadSize, version: opt.ednsVersion, options: opt.options };
}

/**
 * The OPT record of a reply. The asker's size is repeated, as Consul does; so is its client subnet (RFC 7871),
 * with scope 0: the answer is the same for everybody.
 */
export function replyOpt(edns: Edns, extendedRcode: number): OptAnswer {
  return {
    name: '.',
    type: 'OPT',
    udpPayloadSize: Math.max(edns.payloadSize, MIN_PAYLOAD_SIZE),
    extendedRcode,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: edns.options.flatMap(withoutScope),
  };
}

function withoutScope(option: PacketOpt): PacketOpt[] {
  if (option.code !== CLIENT_SUBNET || !option.data || option.data.length < CLIENT_SUBNET_BYTES) return [];
  const data = Buffer.from(option.data);
  data[SCOPE_AT] = 0;
  return [{ code: CLIENT_SUBNET, ip: undefined, data }];
}
