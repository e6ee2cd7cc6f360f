import { type ConsulFacts, readAnswer } from './answers.ts';
import { AskFailure, type ConsulAnswer } from './http-api.ts';
import type { Question } from './question.ts';

/**
 * What an answer says. That there is nobody takes all servers away, so whoever says it has to know: throws an
 * {@link AskFailure} where it may well not, and what is known stays as after any other failure.
 */
export function believed({ kind }: Question, answer: ConsulAnswer): ConsulFacts {
  const { url, index, knownLeader, filtered, body } = answer;
  const facts = readAnswer(kind, body);
  if (!isNobody(facts)) return facts;
  const doubt = filtered
    ? 'may not tell the token all there is'
    : !knownLeader
      ? 'knows of no leader'
      : kind !== 'query' && index === undefined
        ? 'gives no index, as Consul does'
        : undefined;
  if (doubt === undefined) return facts;
  const code = filtered ? 'RESOLVE_REFUSED' : 'RESOLVE_FAILED';
  throw new AskFailure(code, `${url} ${doubt}: that it has nobody is not believed`, { busy: true });
}

function isNobody(facts: ConsulFacts): boolean {
  return facts.kind === 'node' ? facts.node === undefined : facts.instances.length === 0;
}
