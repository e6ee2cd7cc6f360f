import type { Member } from '../balance/members.ts';
import type { BackendConfig } from '../config/runtime/backends.ts';
import type { ServerSource, ServerTls } from '../config/runtime/servers.ts';
import type { ServerAgentTarget } from '../health/server-agents.ts';
import type { ServerCheckTarget } from '../health/server-check.ts';

/** How a server is to be checked; undefined: by no check of its own. */
export function checkTarget(
  backend: BackendConfig,
  { id, snapshot }: Member,
  { check, probeFirst, observe }: ServerSource,
): ServerCheckTarget | undefined {
  if (!check) return undefined;
  const { address, port } = snapshot;
  const { httpchk, dialogue, timeout } = backend;
  const full = `${backend.name}/${id}`;
  return {
    id: full,
    address,
    port,
    check,
    httpchk,
    dialogue,
    tls: tlsOf(check, snapshot.tls),
    // As in HAProxy, only where work goes too.
    ...(snapshot.sendProxy && isWhereWorkGoes(check) ? { sendProxy: snapshot.sendProxy } : {}),
    timeout: timeout.check,
    connectTimeout: timeout.connect,
    ...(observe ? { observed: full } : {}),
    ...(probeFirst ? { probeFirst } : {}),
  };
}

/** Undefined: it has no agent. */
export function agentTarget(
  backend: BackendConfig,
  { id, snapshot }: Member,
  { agent }: ServerSource,
): ServerAgentTarget | undefined {
  return agent && { id: `${backend.name}/${id}`, address: snapshot.address, agent };
}

/** As in HAProxy, another address or port speaks in the clear unless `check-ssl` says otherwise. */
function tlsOf(
  check: NonNullable<ServerSource['check']>,
  work: ServerTls | undefined,
): ServerTls | undefined {
  if (check.tls === 'off') return undefined;
  return check.tls ?? (isWhereWorkGoes(check) ? work : undefined);
}

function isWhereWorkGoes({ port, addr }: NonNullable<ServerSource['check']>): boolean {
  return port === undefined && addr === undefined;
}
