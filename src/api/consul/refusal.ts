import { VaneError } from '../../core/errors.ts';

/** A request answered with a plain-text error instead of a result. Thrown anywhere below a route, sent by the transport. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;

  constructor(status: number, text: string, options?: { cause?: unknown }) {
    super(text, options);
    this.status = status;
  }
}

/** The body could not be decoded (Consul: 400, with this prefix but for transactions). */
export function decodeFailed(reason: string, complaint = 'Request decode failed'): Refusal {
  return new Refusal(400, `${complaint}: ${reason}`);
}

/**
 * Runs a registry command and turns its rejections into what Consul answers. Consul reports an invalid
 * catalog write as 500 and an invalid agent write as 400; both keep the registry's words.
 */
export async function command<T>(work: Promise<T>, invalidStatus: 400 | 500): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof VaneError)) throw error;
    if (error.code === 'REGISTRY_INVALID') throw new Refusal(invalidStatus, error.message, { cause: error });
    if (error.code === 'REGISTRY_NOT_FOUND') throw new Refusal(500, error.message, { cause: error });
    throw error;
  }
}
