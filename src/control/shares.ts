import type { ServerChange, ServerSet } from '../balance/server.ts';
import { DEFAULT_MAXQUEUE } from '../proxy/plane/live-backend.ts';
import type { ToPlane } from '../proxy/plane/messages.ts';

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
    })),
    sets: message.sets.map((set) => shareOfSet(set, workers)),
  };
}

/** The same for the servers of one backend, all of them or those that have changed. No limit (0) stays none. */
export function shareOfSet<Set extends ServerSet | ServerChange>(set: Set, workers: number): Set {
  const servers = set.servers.map((server) => ({ ...server, maxconn: Math.ceil(server.maxconn / workers) }));
  return { ...set, servers };
}
