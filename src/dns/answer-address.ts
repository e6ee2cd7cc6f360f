import type { AddressBytes } from './address.ts';
import { type Answer, type DnsQuestion, found, type Lookup } from './lookup.ts';
import { addressRecord } from './records.ts';

/**
 * `0a500101.addr.consul`: the address that is spelled in the name, whatever type was asked for. The owner is
 * lower-cased, as Consul does.
 */
export function answerAddress(
  question: DnsQuestion,
  address: AddressBytes | undefined,
  lookup: Lookup,
): Answer {
  if (!address) return found([]);
  return found([addressRecord(question.name.toLowerCase(), address, lookup.policy.nodeTtl)]);
}
