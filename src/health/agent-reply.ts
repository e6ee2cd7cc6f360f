/** What an agent says of its server; what it says nothing about is as before. HAProxy, `agent-check`. */
export interface AgentReply {
  readonly weight?: AgentWeight | undefined;
  /** Work at once; 0: no limit. */
  readonly maxconn?: number | undefined;
  readonly mode?: 'ready' | 'drain' | 'maint' | undefined;
  readonly health?: 'up' | 'down' | 'fail' | 'stopped' | undefined;
  /** Behind `#`: why. */
  readonly why?: string | undefined;
}

/** `50%` of the server's own weight, or a weight of 0 to 256 instead of it. */
export type AgentWeight = { readonly percent: number } | { readonly weight: number };

const MODES = ['ready', 'drain', 'maint'] as const;
const HEALTHS = ['up', 'down', 'fail', 'stopped'] as const;
/** HAProxy's bound for weights, which a percentage may not lead beyond either. */
const HIGHEST_WEIGHT = 256;
const HIGHEST_PERCENT = 100 * HIGHEST_WEIGHT;
const LONGEST_WHY = 100;

/**
 * Reads one line of an agent (configuration manual, section 5.2, `agent-check`): words between spaces, tabs or commas,
 * in any order and any case; then `#` and why. Undefined where it has nothing that an agent says. Words that mean
 * nothing here are passed over, as agents say more to newer HAProxies.
 */
export function parseAgentReply(line: string): AgentReply | undefined {
  const hash = line.indexOf('#');
  const words = (hash < 0 ? line : line.slice(0, hash)).toLowerCase().split(/[\s,]+/);
  const why =
    hash < 0
      ? ''
      : line
          .slice(hash + 1)
          .replace(/\p{C}+/gu, ' ')
          .trim()
          .slice(0, LONGEST_WHY);
  const reply: { -readonly [K in keyof AgentReply]: AgentReply[K] } = {};
  for (const word of words) {
    const weight = /^(?:weight:)?(\d{1,5})%$/.exec(word)?.[1];
    const absolute = /^weight:(\d{1,5})$/.exec(word)?.[1];
    const maxconn = /^maxconn:(\d{1,9})$/.exec(word)?.[1];
    if (weight !== undefined) reply.weight = { percent: Math.min(Number(weight), HIGHEST_PERCENT) };
    else if (absolute !== undefined) reply.weight = { weight: Math.min(Number(absolute), HIGHEST_WEIGHT) };
    else if (maxconn !== undefined) reply.maxconn = Number(maxconn);
    else {
      reply.mode = MODES.find((mode) => mode === word) ?? reply.mode;
      reply.health = HEALTHS.find((health) => health === word) ?? reply.health;
    }
  }
  const { weight, maxconn, mode, health } = reply;
  if ([weight, maxconn, mode, health].every((one) => one === undefined)) return undefined;
  return why === '' ? reply : { ...reply, why };
}
