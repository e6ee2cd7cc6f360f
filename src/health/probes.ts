import type { CheckDefinition, CheckKind } from '../registry/model.ts';
import { dockerProbe } from './docker.ts';
import { grpcProbe } from './grpc.ts';
import { HttpProbe } from './http.ts';
import { DEFAULT_OUTPUT_MAX_SIZE } from './output.ts';
import type { Probe } from './probe.ts';
import { scriptProbe } from './script.ts';
import { SLOT_FOR_MS } from './slots.ts';
import { TcpProbe } from './tcp.ts';
import { udpProbe } from './udp.ts';

/** The kinds of check that are run; the others are told about (ttl) or follow the catalog (alias). */
export type ProbedKind = Extract<CheckKind, { kind: 'http' | 'tcp' | 'udp' | 'grpc' | 'script' | 'docker' }>;

/** What a definition without a timeout gets, ms (Consul's defaults). */
const DEFAULT_TIMEOUT = {
  http: 10_000,
  tcp: 10_000,
  udp: 10_000,
  grpc: 10_000,
  script: 30_000,
  docker: 30_000,
};

/**
 * The probe for each kind, how long a run of it may take, and how long of that it counts as work of this machine.
 * `dockerHost` is where Docker checks are run.
 */
export function probeFor(
  kind: ProbedKind,
  definition: CheckDefinition,
  dockerHost: string,
): { probe: Probe; timeout: number; slotFor?: number } {
  const timeout = definition.timeout || DEFAULT_TIMEOUT[kind.kind];
  const outputMaxSize = definition.outputMaxSize || DEFAULT_OUTPUT_MAX_SIZE;
  switch (kind.kind) {
    case 'http':
      return { probe: new HttpProbe(kind, outputMaxSize), timeout, slotFor: SLOT_FOR_MS };
    case 'tcp':
      return { probe: new TcpProbe(kind.address), timeout, slotFor: SLOT_FOR_MS };
    case 'udp':
      return { probe: udpProbe(kind.address), timeout, slotFor: SLOT_FOR_MS };
    case 'grpc':
      return { probe: grpcProbe(kind), timeout, slotFor: SLOT_FOR_MS };
    case 'script':
      return { probe: scriptProbe(kind, { timeout, outputMaxSize }), timeout };
    case 'docker':
      return { probe: dockerProbe(kind, { dockerHost, timeout, outputMaxSize }), timeout };
  }
}
