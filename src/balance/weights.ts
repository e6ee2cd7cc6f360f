/** What there is to say about a server's share of the work beside what its source says. Plain data. */
export interface Adjustment {
  /** An operator's word. */
  readonly operator?: WeightWord | undefined;
  /** An agent's. */
  readonly agent?: WeightWord | undefined;
  /** An agent's limit of work at once instead of that of the configuration; 0: none. */
  readonly maxconn?: number | undefined;
  /** It wants no new work though it works (NOLB, an agent's `drain`): weight 0, whatever else is said. */
  readonly held?: boolean | undefined;
  /** Of a slow start, more than 0 to 1: the part of its share, and of its work at once, that it may have by now. */
  readonly warmth?: number | undefined;
}

/** So much of the weight that a server has of itself, or another weight instead. */
export type WeightWord = { readonly percent: number } | { readonly weight: number };

/** What its source says of a server: the weight of its entry times that of its name's answer. */
export interface OwnShare {
  readonly weight: number;
  readonly maxconn: number;
}

export const NO_ADJUSTMENT: Adjustment = {};

/**
 * The weight and the limit that count. The one place where it is decided whose word goes before whose:
 *
 *   1. a server that wants no new work has weight 0, and so has one whose own weight is 0;
 *   2. the operator's word, a weight or a percentage of its own, instead of all below;
 *   3. the agent's word, likewise;
 *   4. its own weight: that of its entry in the configuration times that of its name's answer (SRV, registry);
 *   5. and of what comes out of that, as much as its slow start allows.
 */
export function adjusted(own: OwnShare, adjustment: Adjustment): OwnShare {
  const { held = false, warmth = 1, operator, agent, maxconn = own.maxconn } = adjustment;
  const limit = maxconn === 0 ? 0 : Math.max(1, Math.ceil(maxconn * warmth));
  if (held || own.weight === 0) return { weight: 0, maxconn: limit };
  return { weight: told(own.weight, operator ?? agent) * warmth, maxconn: limit };
}

function told(own: number, word: WeightWord | undefined): number {
  if (!word) return own;
  return 'percent' in word ? (own * word.percent) / 100 : word.weight;
}

export function sameAdjustment(a: Adjustment, b: Adjustment): boolean {
  return (
    a === b ||
    (sameWord(a.operator, b.operator) &&
      sameWord(a.agent, b.agent) &&
      a.maxconn === b.maxconn &&
      (a.held ?? false) === (b.held ?? false) &&
      (a.warmth ?? 1) === (b.warmth ?? 1))
  );
}

function sameWord(a: WeightWord | undefined, b: WeightWord | undefined): boolean {
  if (!a || !b) return a === b;
  return 'percent' in a ? 'percent' in b && a.percent === b.percent : 'weight' in b && a.weight === b.weight;
}
