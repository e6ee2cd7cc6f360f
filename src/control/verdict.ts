import type { Adjustment } from '../balance/weights.ts';
import type { BalanceAlgorithm } from '../config/runtime/balance.ts';
import type { ServerAgentFacts } from '../health/server-agents.ts';
import type { ServerCheckFacts } from '../health/server-check.ts';

export type CheckEvidence = Pick<ServerCheckFacts, 'up' | 'stopping' | 'why' | 'row'>;

/** What health says of a server, and upon what. */
export interface Verdict {
  readonly up: boolean;
  readonly why: string;
}

/**
 * A check and an agent together: the server is up while neither says otherwise, and only who has said so can take it
 * back (HAProxy, `agent-check`). Undefined: there is no such check, so it says nothing.
 */
export function verdictOf(check: CheckEvidence | undefined, agent: ServerAgentFacts | undefined): Verdict {
  if (agent && (!agent.up || agent.mode === 'maint')) return { up: false, why: agent.why };
  if (check) return { up: check.up, why: evidenceOf(check) };
  return { up: true, why: agent?.why ?? 'not checked' };
}

/** What they say of its share. */
export function adviceOf(
  check: CheckEvidence | undefined,
  agent: ServerAgentFacts | undefined,
  balance: BalanceAlgorithm,
): Pick<Adjustment, 'agent' | 'maxconn' | 'held'> {
  const weight = agent?.weight;
  const zero = weight && ('percent' in weight ? weight.percent : weight.weight) === 0;
  return {
    agent: isDynamic(balance) ? weight : undefined,
    maxconn: agent?.maxconn,
    held: check?.stopping === true || agent?.mode === 'drain' || zero === true,
  };
}

/** Whether weights may change while it works; as in HAProxy those of the others are what they began with, or 0. */
export function isDynamic(balance: BalanceAlgorithm): boolean {
  if (balance.kind === 'hash') return balance.hash.type === 'consistent';
  return balance.kind !== 'static-rr' && balance.kind !== 'first';
}

/** What a check's verdict rests on: what it last found, and how often in a row. */
function evidenceOf({ why, row, stopping }: CheckEvidence): string {
  const said = stopping ? `${why}: no new work` : why;
  return row > 1 ? `${said}, ${row} in a row` : said;
}
