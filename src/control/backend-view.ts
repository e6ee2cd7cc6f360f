import { downtime } from '../balance/members.ts';
import type { ServerAgents } from '../health/server-agents.ts';
import type { ServerChecks } from '../health/server-checks.ts';
import type { BackendCounters } from '../proxy/plane/counters.ts';
import type { BackendControl } from './backend-control.ts';
import type { BackendView, NameView, ServerView } from './view.ts';

/** One backend as it is at `now`: what control knows beside what the data plane has counted. */
export function backendView(
  backend: BackendControl,
  counters: BackendCounters,
  checks: Pick<ServerChecks, 'state'>,
  agents: Pick<ServerAgents, 'state'>,
  now: number,
): BackendView {
  const byId = new Map(counters.servers.map((row) => [row.id, row]));
  const servers = [...backend.members.all()].map((member): ServerView => {
    const { id, snapshot, state, downs } = member;
    return {
      snapshot,
      state,
      counters: byId.get(id),
      check: checks.state(`${backend.name}/${id}`),
      agent: agents.state(`${backend.name}/${id}`),
      share: member.adjustment,
      own: member.own,
      downs,
      downtime: downtime(member, now),
    };
  });
  return {
    config: backend.config,
    counters,
    ...backend.news.outage.read(now),
    servers: servers.sort((a, b) => (a.snapshot.name < b.snapshot.name ? -1 : 1)),
    names: [...backend.names()].map(({ source, state }): NameView => {
      const { servers: found, lastGood, error, results, kept, held, stale, set } = state;
      return {
        domain: source.domain,
        resolvers: source.resolvers,
        servers: found,
        age: lastGood === undefined ? undefined : now - lastGood,
        error: error && { code: error.code, message: error.message },
        results,
        kept,
        held: held.length,
        stale,
        hint: set?.hint === true,
      };
    }),
    drains: backend.news.drains.read(),
    panic: backend.news.panic.read(now),
  };
}
