import type { ServerChange, ServerSet } from '../balance/server.ts';
import type { RetryBudgetConfig } from '../config/runtime/backends.ts';
import type { ToPlane } from '../proxy/plane/messages.ts';
import { DEFAULT_MAXQUEUE } from '../proxy/plane/queue-refusal.ts';

type ConfigMessage = Extract<ToPlane, { type: 'config' }>;

/**
 * What one of `workers` planes is told of a configuration: limits are shared out evenly and rounded up, so that each
 * plane keeps its part without asking the others.
 */
export function shareOfConfig(message: ConfigMessage, workers: number): ConfigMessage {
  const share = (limit: number) => Math.ceil(limit / workers);
  return {
    ...message,
    maxconn: share(message.maxconn),
    frontends: message.frontends.map((frontend) => ({ ...frontend, maxconn: share(frontend.maxconn) })),
    backends: message.backends.map((backend) => ({
      ...backend,
      maxqueue: share(backend.maxqueue || DEFAULT_MAXQUEUE),
      ...(backend.fullconn === undefined ? {} : { fullconn: share(backend.fullconn) }),
      ...(backend.maxConnections === undefined ? {} : { maxConnections: share(backend.maxConnections) }),
      ...(backend.retryBudget ? { retryBudget: shareOfBudget(backend.retryBudget, workers) } : {}),
    })),
    sets: message.sets.map((set) => shareOfSet(set, workers)),
  };
}

/** The same for the servers of one backend, all of them or those that have changed. No limit (0) stays none. */
export function shareOfSet<Set extends ServerSet | ServerChange>(set: Set, workers: number): Set {
  const servers = set.servers.map((server) => ({
    ...server,
    maxconn: Math.ceil(server.maxconn / workers),
    ...(server.minconn ? { minconn: Math.ceil(server.minconn / workers) } : {}),
    ...(server.maxqueue ? { maxqueue: Math.ceil(server.maxqueue / workers) } : {}),
  }));
  return { ...set, servers };
}

function shareOfBudget({ percent, perSecond }: RetryBudgetConfig, workers: number): RetryBudgetConfig {
  return { percent, perSecond: perSecond / workers };
}
