import { arch, availableParallelism, platform } from 'node:os';
import { vaneNodes } from '../../registry/cluster/plans.ts';
import { SERF_HEALTH } from '../../registry/names.ts';
import { ownNode, SERVER_PORT, serverAddress } from './agent.ts';
import { type Answer, json } from './answer.ts';
import { type ApiContext, ownChecks, ownInstances } from './context.ts';
import { demand } from './rights.ts';
import { type Call, get, type Route } from './route.ts';

const SERF_PORT = 8301;

/** Who the agent is, and the nodes that share its registry: https://developer.hashicorp.com/consul/api-docs/agent */
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
    Member: member(api, catalog.self),
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
  const { cluster, catalog } = api.registry;
  const leads = !cluster || cluster.view.leader === catalog.self.toLowerCase();
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
      leader: String(leads),
      leader_addr: serverAddress(api, cluster?.view.leader),
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
  if (call.query.get('wan')) return json(null);
  const { catalog } = api.registry;
  return json(call.rights.reads ? vaneNodes(catalog).map(({ node }) => member(api, node)) : []);
}

/** Serf's `MemberStatus`. */
const ALIVE = 1;
const FAILED = 4;

function member(api: ApiContext, name: string): object {
  const { catalog } = api.registry;
  const node = catalog.node(name).value?.node;
  return {
    Name: node?.node ?? name,
    Addr: node?.address ?? '',
    Port: SERF_PORT,
    Tags: {
      acls: api.access.enabled ? '1' : '0',
      bootstrap: '1',
      build: api.version,
      dc: catalog.datacenter,
      id: node?.id ?? '',
      port: String(SERVER_PORT),
      raft_vsn: '3',
      role: 'consul',
      segment: '',
      vsn: '2',
      vsn_max: '3',
      vsn_min: '2',
    },
    Status: catalog.check(name, SERF_HEALTH)?.status === 'critical' ? FAILED : ALIVE,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}
