import { answerAddress } from './answer-address.ts';
import { answerNode } from './answer-node.ts';
import { answerReverse } from './answer-reverse.ts';
import { answerQuery, answerService } from './answer-service.ts';
import { answerNameservers, answerStartOfAuthority, noSuchName } from './answer-zone.ts';
import {
  type Answer,
  type AnswerOptions,
  type AnswerReader,
  bare,
  type DnsQuestion,
  type DnsRecord,
  type Lookup,
} from './lookup.ts';
import { isInZone, parseName, type Zone } from './names.ts';

/** CNAMEs followed within the zone for one question, as in Consul. */
const MAX_CHASES = 3;

/**
 * Answers one question from the registry, as Consul's DNS interface does: see the conformance suite for the
 * odd corners. Instances with a critical check (their own or their node's) are left out.
 */
export function answer(question: DnsQuestion, reader: AnswerReader, options: AnswerOptions): Answer {
  return answerAt(question, reader, options, 0);
}

function answerAt(
  question: DnsQuestion,
  reader: AnswerReader,
  options: AnswerOptions,
  depth: number,
): Answer {
  const { domain, altDomain } = options;
  const zone: Zone = { domain, altDomain, datacenter: reader.datacenter };
  const lookup: Lookup = {
    ...options,
    zone,
    reader,
    chase(name, type) {
      if (!isInZone(name, zone)) return options.outside?.(name) ?? [];
      if (depth >= MAX_CHASES) return [];
      return answerAt({ name, type }, reader, options, depth + 1).answers.filter(isAddressOrAlias);
    },
  };
  if (isInZone(question.name, zone)) {
    if (question.type === 'SOA') return answerStartOfAuthority(lookup);
    if (question.type === 'NS') return answerNameservers(lookup);
  }
  const parsed = parseName(question.name, zone, question.type === 'SRV');
  switch (parsed.kind) {
    case 'service':
      return answerService(question, parsed, lookup);
    case 'query':
      return answerQuery(question, parsed.query, lookup);
    case 'node':
      return answerNode(question, parsed.node, lookup);
    case 'addr':
      return answerAddress(question, parsed.address, lookup);
    case 'reverse':
      return answerReverse(question, parsed.address, lookup);
    case 'unknown':
      return noSuchName(lookup);
    case 'outside':
      return REFUSED;
  }
}

const REFUSED: Answer = { ...bare('REFUSED', { authoritative: false }), outside: true };

function isAddressOrAlias(record: DnsRecord): boolean {
  return record.type === 'A' || record.type === 'AAAA' || record.type === 'CNAME';
}
