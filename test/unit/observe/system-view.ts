import { newServerState, type OperatorMode, type ServerState } from '../../../src/balance/state.ts';
import type { BackendConfig } from '../../../src/config/runtime/backends.ts';
import type {
  BackendView,
  FrontendView,
  NameView,
  ResolverView,
  ServerView,
  SystemView,
} from '../../../src/control/view.ts';
import type { ServerCheckFacts } from '../../../src/health/server-check.ts';
import type { MysqlVipView } from '../../../src/mysql/view.ts';
import {
  type BackendCounters,
  DURATION_BOUNDS,
  type FrontendCounters,
  type ServerCounters,
  type WorkCounters,
} from '../../../src/proxy/plane/counters.ts';

/** Clock ms and wall-clock ms at which all views here were made. */
export const AT = 1_000_000;
export const WALL = Date.UTC(2026, 1, 7, 14, 5, 23);

/** A different number in every field, so that none can stand for another. */
const SESSIONS = { scur: 101, smax: 102, stot: 103, bin: 104, bout: 105, rate: 106, rateMax: 107 };
const RESPONSES = { hrsp1xx: 111, hrsp2xx: 112, hrsp3xx: 113, hrsp4xx: 114, hrsp5xx: 115, hrspOther: 116 };

const WORK: WorkCounters = {
  ...SESSIONS,
  ...RESPONSES,
  ...{ qcur: 121, qmax: 122, econ: 123, eresp: 124, wretr: 125, wredis: 126, lbtot: 127, reqTot: 128 },
  ...{ cliAbrt: 129, srvAbrt: 130, connect: 131, reuse: 132 },
  ...{ qtime: 141, ctime: 142, rtime: 143, ttime: 144 },
  ...{ qtimeMax: 1141, ctimeMax: 1142, rtimeMax: 1143, ttimeMax: 1144 },
  lastSession: WALL - 7_900,
};

export function frontendView(
  changes: Partial<FrontendCounters> = {},
  status: FrontendView['status'] = 'OPEN',
) {
  const counters: FrontendCounters = {
    ...SESSIONS,
    ...RESPONSES,
    ...{ name: 'www', mode: 'http', slim: 2_000, dreq: 151, ereq: 152, reqTot: 153, reqRate: 154 },
    ...{
      reqRateMax: 155,
      connTot: 156,
      connRate: 157,
      connRateMax: 158,
      dcon: 159,
      intercepted: 160,
      sslFailedHandshake: 161,
    },
    ...changes,
  };
  return { counters, status };
}

export interface ServerChanges {
  readonly name?: string;
  readonly port?: number;
  readonly weight?: number;
  readonly backup?: boolean;
  readonly maxconn?: number;
  readonly present?: boolean;
  readonly up?: boolean;
  readonly mode?: OperatorMode;
  readonly counters?: Partial<ServerCounters> | 'none';
  readonly check?: Partial<ServerCheckFacts>;
  readonly downs?: number;
  readonly downtime?: number;
}

export function serverView(changes: ServerChanges = {}): ServerView {
  const { name = 'web-1', port = 80, present = true, up = true, mode = 'ready', counters = {} } = changes;
  const id = `10.0.0.1:${port}`;
  const state = stateOf({ present, up, mode });
  return {
    snapshot: {
      id,
      name,
      address: '10.0.0.1',
      port,
      weight: changes.weight ?? 1,
      tier: 0,
      backup: changes.backup ?? false,
      maxconn: changes.maxconn ?? 0,
      rank: 0,
      admission: state.work === 'open' ? 'open' : 'draining',
    },
    state,
    counters:
      counters === 'none'
        ? undefined
        : { ...WORK, id, ejected: 0, idleConnections: 171, usedConnections: 172, ...counters },
    check: changes.check && checkFacts(changes.check),
    downs: changes.downs ?? 0,
    downtime: changes.downtime ?? 0,
  };
}

function stateOf(facts: { present: boolean; up: boolean; mode: OperatorMode }): ServerState {
  const since = AT - 12_345;
  const { present, up, mode } = facts;
  const open = present && up && mode === 'ready';
  return {
    ...newServerState('listed', since),
    facts: {
      discovery: { present, why: '', since },
      health: { up, why: '', since },
      operator: { mode, why: '', since },
    },
    work: open ? 'open' : 'draining',
  };
}

function checkFacts(changes: Partial<ServerCheckFacts>): ServerCheckFacts {
  return {
    up: true,
    stopping: false,
    position: 'UP',
    health: 4,
    rise: 2,
    fall: 3,
    lastCode: 'L4OK',
    httpStatus: undefined,
    durationMs: 12.5,
    desc: 'Layer4 check passed',
    info: '',
    why: '',
    row: 1,
    failures: 0,
    downs: 0,
    ...changes,
  };
}

export function nameView(changes: Partial<NameView> = {}): NameView {
  return {
    domain: 'web.service.consul',
    resolvers: 'builtin',
    servers: 2,
    age: 1_500,
    error: undefined,
    results: { ok: 181, empty: 182, failed: 183 },
    kept: false,
    held: 0,
    stale: false,
    hint: false,
    ...changes,
  };
}

export interface BackendChanges {
  readonly name?: string;
  readonly mode?: 'http' | 'tcp';
  readonly counters?: Partial<BackendCounters>;
  readonly up?: boolean;
  readonly servers?: readonly ServerView[];
  readonly names?: readonly NameView[];
}

export function backendView(changes: BackendChanges = {}): BackendView {
  const { name = 'web', mode = 'http', up = true, servers = [serverView()], names = [nameView()] } = changes;
  return {
    config: configOf(name, mode),
    counters: {
      ...WORK,
      name,
      mode,
      noServer: 191,
      drainCut: 173,
      refusedEarly: 206,
      ejections: 207,
      retriesRefused: 208,
      hedges: 209,
      hedgesWon: 210,
      tableEntries: 211,
      duration: { buckets: new Array(DURATION_BOUNDS.length + 1).fill(2), sum: 99.5, count: 30 },
      servers: [],
      ...changes.counters,
    },
    up,
    since: AT - 65_432,
    downs: 192,
    downtime: 193_999,
    servers,
    names,
    drains: { started: 201, finished: 202, expired: 203, cancelled: 204 },
    panic: { active: false, since: AT - 12_345, entered: 205 },
  };
}

function configOf(name: string, mode: 'http' | 'tcp'): BackendConfig {
  return {
    name,
    mode,
    balance: { kind: 'roundrobin' },
    servers: [],
    retries: 3,
    redispatch: true,
    timeout: { connect: 5_000, server: 30_000, queue: 5_000, tunnel: 3_600_000, check: undefined },
    maxqueue: 0,
    httpchk: undefined,
    stickiness: {
      cookie: undefined,
      table: { type: 'ip', length: 32, size: 212, expire: 0, nopurge: false, serverKey: 'name' },
      ...{ rules: [], ignore: [] },
    },
  };
}

export function mysqlVipView(changes: Partial<MysqlVipView> = {}): MysqlVipView {
  const server = { up: true, version: '10.11.19-MariaDB', trouble: undefined };
  const probes = {
    ok: 241,
    failed: { dead: 242, timeout: 243, overloaded: 244, blocked: 245, misconfigured: 246 },
  };
  return {
    ...{ name: 'main', phase: 'MASTER', reason: 'the master answers', age: 5_000, epoch: 3, target: 'db1' },
    lead: 'self',
    ...{ waitsFor: undefined, frozenFor: 5_000, paused: true, demoted: undefined },
    hooks: [{ hook: 'fence', result: 'ok', runs: 273, time: 27_400 }],
    alarms: [{ kind: 'split', why: 'db1 and db2 both take writes' }],
    servers: [
      {
        ...{ ...server, id: 'db1', role: 'master', address: '10.0.0.11:3306', writable: true, probes },
        ...{ drained: false, lag: undefined, staleness: undefined, sessions: { rw: 251, ro: 252 } },
      },
      {
        ...{ ...server, id: 'db2', role: 'slave', address: '10.0.0.12:3306', writable: false, probes },
        ...{ drained: true, lag: 1_500, staleness: 2_500, sessions: { rw: 253, ro: 254 } },
      },
    ],
    ...{ sessions: 1_010, held: 261 },
    totals: {
      connections: { rw: 262, ro: 263 },
      held: { served: 264, late: 265, full: 266, left: 267 },
      ended: { told: 268, closed: 269 },
      unknown: 0,
      orphans: { killed: 0, gone: 0, refused: 0 },
      abortedLogins: 270,
    },
    ...{ moves: { master: 271, slave: 272 }, lastFailover: 850, unavailable: 12_500 },
    ...changes,
  };
}

export function resolverView(): ResolverView {
  const counters = {
    ...{ sent: 281, sendError: 282, valid: 283, update: 284, cname: 285, cnameError: 286, anyErr: 287 },
    ...{ nx: 288, timeout: 289, refused: 290, other: 291, invalid: 292, tooBig: 293, truncated: 294 },
    outdated: 295,
  };
  const watch = { name: 'service web', up: true, index: 7, failures: 2, age: 1500, fallback: false };
  return { id: 'corp', nameservers: [{ name: 'ns1', counters }], watches: [watch] };
}

export function systemView(changes: Partial<SystemView> = {}): SystemView {
  return {
    at: AT,
    wall: WALL,
    process: {
      node: 'lb-1',
      version: '0.1.0',
      pid: 4711,
      startedAt: WALL - 3_600_500,
      maxconn: 20_000,
      connections: 211,
      stopping: false,
      reloads: { taken: 3, refused: 1 },
      workers: { running: 2, draining: 3, restarts: 5 },
      storing: { works: false, failures: 3 },
      tablePeers: { connected: true, sent: 30, dropped: 2, learned: 20, lagMs: 4 },
      cluster: {
        ...{ self: 'LB-1', leader: 'lb-1', lease: 'held', leaseMs: 15_000 },
        ...{ index: 8_000, lag: 2, behindMs: 1_500, unsent: 4 },
      },
      datacenters: [{ name: 'dc2', up: false, failures: 4, stale: 5, age: 6_000 }],
    },
    frontends: [frontendView()],
    backends: [backendView()],
    mysqlVips: [],
    resolvers: [resolverView()],
    ...changes,
  };
}
