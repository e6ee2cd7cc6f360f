import type { Answer } from 'dns-packet';
import { bucket, type Comparing, comparable, masked } from './comparable.ts';
import type { DnsAnswer, DnsMessage } from './dns-exchange.ts';
import { DROPPED_META } from './http-comparable.ts';
import type { NoAnswer } from './http-exchange.ts';
import { canonical, type JsonObject } from './json-values.ts';
import type { Self } from './target.ts';

const FLAGS = ['qr', 'aa', 'tc', 'rd', 'ra', 'ad', 'cd'] as const;

/** A reply without what differs from run to run and from machine to machine; records in no order. */
export function comparableDns(raw: DnsAnswer | NoAnswer, step: Comparing, self: Self): JsonObject {
  if ('error' in raw) return { error: raw.error };
  const { message } = raw;
  const out: JsonObject = {
    rcode: message.rcode,
    flags: FLAGS.filter((flag) => message[`flag_${flag}`]).join(' '),
    answers: recordTexts(message.answers, step, self),
    authority: recordTexts(message.authorities, step, self),
    additional: recordTexts(message.additionals, step, self),
    edns: ednsSize(message),
  };
  if (step.fits !== undefined) out[`fits${step.fits}`] = raw.size <= step.fits;
  // Where only the size limits a reply, how many records fit may differ a little.
  for (const [section, limits] of Object.entries(step.counts ?? {})) {
    const records = { answers: message.answers, additional: message.additionals }[section] ?? [];
    out[section] = bucket(records.filter(({ type }) => type !== 'OPT').length, limits, ' records');
  }
  if (step.timing) out.took = bucket(raw.ms, step.timing);
  return comparable(out, step);
}

/** Records as sorted texts; those that a mask has made equal are one: `6 x …`. */
export function recordTexts(
  records: readonly Answer[] | undefined,
  step: Comparing,
  self: Self,
): readonly string[] {
  const counts = new Map<string, number>();
  for (const record of records ?? []) {
    if (record.type === 'OPT') continue;
    const data = dataText(record, self);
    if (record.type === 'TXT' && data.startsWith(`"${DROPPED_META}=`)) continue;
    const { name, type } = record;
    const { ttl, class: kind } = { ttl: undefined, class: undefined, ...record };
    const text = masked(`${dnsName(name, self)} ${ttl} ${kind} ${type} ${data}`, step.mask);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([text, count]) => (count === 1 ? text : `${count} x ${text}`));
}

function ednsSize(message: DnsMessage): number | null {
  const opt = message.additionals?.find(({ type }) => type === 'OPT');
  return opt?.type === 'OPT' ? opt.udpPayloadSize : null;
}

function dataText(record: Answer, self: Self): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.data === self.address ? '<addr>' : record.data;
    case 'SRV': {
      const { priority, weight, port, target } = record.data;
      return `${priority} ${weight} ${port} ${dnsName(target, self)}`;
    }
    case 'SOA': {
      const { mname, rname, refresh, retry, expire, minimum } = record.data;
      return `${mname} ${rname} <serial> ${refresh} ${retry} ${expire} ${minimum}`;
    }
    case 'TXT':
      return JSON.stringify([record.data].flat().map(String).join(''));
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return dnsName(record.data, self);
    default:
      return 'data' in record && Buffer.isBuffer(record.data)
        ? record.data.toString('hex')
        : canonical(record);
  }
}

/** The own node's and datacenter's labels are placeholders, where it is known that they are meant. */
function dnsName(name: string, self: Self): string {
  const labels = name.split('.');
  return labels.map((label, at) => placeholder(label, self, labels[at - 1], labels[at + 1])).join('.');
}

function placeholder(label: string, self: Self, before = '', after = ''): string {
  if (label === self.node && after.toLowerCase() === 'node') return '<node>';
  const inDatacenter = ['service', 'node', 'addr', 'query'].includes(before.toLowerCase());
  if (!inDatacenter || label.toLowerCase() !== self.datacenter.toLowerCase()) return label;
  return label === self.datacenter ? '<dc>' : '<dc, other case>';
}
