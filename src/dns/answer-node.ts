import { parseAddress } from './address.ts';
import { noSuchName } from './answer-zone.ts';
import { type Answer, type DnsQuestion, type DnsRecord, found, type Lookup } from './lookup.ts';
import { isHostname } from './names.ts';
import { addressRecord, aliasRecords, metaRecords, wantsFamily } from './records.ts';

/**
 * `lb-1.node.consul`: the node's address, healthy or not, and its meta as TXT. A known node without records of
 * the type is NOERROR without an SOA, unlike a service.
 */
export function answerNode(question: DnsQuestion, name: string, lookup: Lookup): Answer {
  const node = lookup.reader.node(name).value?.node;
  if (!node) return noSuchName(lookup);
  const { nodeTtl } = lookup.policy;
  const meta = metaRecords(question.name, node.meta, nodeTtl);
  switch (question.type) {
    case 'TXT':
      return found(meta);
    case 'ANY':
      return found([...addressRecords(question, node.address, lookup), ...meta]);
    case 'A':
    case 'AAAA':
    case 'CNAME':
      return found(addressRecords(question, node.address, lookup), meta);
    default:
      return found([]);
  }
}

function addressRecords(question: DnsQuestion, text: string, lookup: Lookup): DnsRecord[] {
  const { nodeTtl } = lookup.policy;
  const address = parseAddress(text);
  if (address) {
    return wantsFamily(question.type, address) ? [addressRecord(question.name, address, nodeTtl)] : [];
  }
  return isHostname(text) ? aliasRecords(question.name, text, question.type, nodeTtl, lookup) : [];
}
