import { arch, availableParallelism, platform } from 'node:os';
import { ownNode, SERVER_PORT, serverAddress } from './agent.ts';
import { type Answer, json } from './answer.ts';
import { type ApiContext, ownChecks, ownInstances } from './context.ts';
import { demand } from './rights.ts';
import { type Call, get, type Route } from './route.ts';

const SERF_PORT = 8301;

/** Who the agent is, and the cluster it makes up alone: https://developer.hashicorp.com/consul/api-docs/agent */
export function agentSelfRoutes(api: ApiContext): readonly Route[] {
  return [
    get('/v1/agent/self', (call) => self(api, call)),
    get('/v1/agent/members', (call) => members(api, call)),
  ];
}

function self(api: ApiContext, call: Call): Answer {
  demand(call.rights.reads);
  const { catalog } = api.registry;
  return json({
    Config: {
      Datacenter: catalog.datacenter,
      NodeName: catalog.self,
      NodeID: ownNode(api)?.id ?? '',
      Revision: '',
      Server: true,
      Version: api.version,
    },
    DebugConfig: debugConfig(api),
    Coord: null,
    Member: member(api),
    Stats: stats(api),
    Meta: ownNode(api)?.meta ?? {},
  });
}

/** The settings that clients look up to learn what there is. */
function debugConfig(api: ApiContext): object {
  const { catalog } = api.registry;
  return {
    ACLsEnabled: api.access.enabled,
    ConnectEnabled: false,
    Datacenter: catalog.datacenter,
    GRPCPort: -1,
    NodeName: catalog.self,
    PrimaryDatacenter: catalog.datacenter,
    ServerMode: true,
    Version: api.version,
  };
}

/** What `consul info` prints: texts only. */
function stats(api: ApiContext): object {
  const checks = ownChecks(api);
  const ttls = checks.filter(({ definition }) => definition?.kind.kind === 'ttl').length;
  return {
    agent: {
      check_monitors: '0',
      check_ttls: String(ttls),
      checks: String(checks.length),
      services: String(ownInstances(api).length),
    },
    build: { prerelease: '', revision: '', version: api.version },
    consul: {
      acl: api.access.enabled ? 'enabled' : 'disabled',
      bootstrap: 'true',
      known_datacenters: '1',
      leader: 'true',
      leader_addr: serverAddress(api),
      server: 'true',
    },
    runtime: {
      arch: arch(),
      cpu_count: String(availableParallelism()),
      os: platform(),
      version: process.version,
    },
  };
}

/** There is no wide-area pool: Consul answers null for one it has not joined. */
function members(api: ApiContext, call: Call): Answer {
  return json(call.query.get('wan') ? null : call.rights.reads ? [member(api)] : []);
}

function member(api: ApiContext): object {
  const { catalog } = api.registry;
  return {
    Name: catalog.self,
    Addr: ownNode(api)?.address ?? '',
    Port: SERF_PORT,
    Tags: {
      acls: api.access.enabled ? '1' : '0',
      bootstrap: '1',
      build: api.version,
      dc: catalog.datacenter,
      id: ownNode(api)?.id ?? '',
      port: String(SERVER_PORT),
      raft_vsn: '3',
      role: 'consul',
      segment: '',
      vsn: '2',
      vsn_max: '3',
      vsn_min: '2',
    },
    Status: 1,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}
