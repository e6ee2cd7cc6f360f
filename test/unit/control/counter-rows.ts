import {
  type BackendCounters,
  DURATION_BOUNDS,
  type FrontendCounters,
  type ServerCounters,
  type WorkCounters,
} from '../../../src/proxy/plane/counters.ts';

/** Rows of a plane that has done nothing, but for what a test says. */

const SESSIONS = { scur: 0, smax: 0, stot: 0, bin: 0, bout: 0, rate: 0, rateMax: 0 };
const RESPONSES = { hrsp1xx: 0, hrsp2xx: 0, hrsp3xx: 0, hrsp4xx: 0, hrsp5xx: 0, hrspOther: 0 };
const WORK: WorkCounters = {
  ...SESSIONS,
  ...RESPONSES,
  ...{ qcur: 0, qmax: 0, econ: 0, eresp: 0, wretr: 0, wredis: 0, lbtot: 0, reqTot: 0 },
  ...{ cliAbrt: 0, srvAbrt: 0, connect: 0, reuse: 0, lastSession: 0 },
  ...{ qtime: 0, ctime: 0, rtime: 0, ttime: 0, qtimeMax: 0, ctimeMax: 0, rtimeMax: 0, ttimeMax: 0 },
};

export function frontendRow(changes: Partial<FrontendCounters> = {}): FrontendCounters {
  return {
    ...SESSIONS,
    ...RESPONSES,
    ...{ name: 'www', mode: 'http', slim: 0, dreq: 0, ereq: 0, reqTot: 0, reqRate: 0, reqRateMax: 0 },
    ...{ connTot: 0, connRate: 0, connRateMax: 0, dcon: 0, intercepted: 0, sslFailedHandshake: 0 },
    ...changes,
  };
}

export function serverRow(changes: Partial<ServerCounters> = {}): ServerCounters {
  return { ...WORK, id: '10.0.0.1:80', ejected: 0, idleConnections: 0, usedConnections: 0, ...changes };
}

export function backendRow(changes: Partial<BackendCounters> = {}): BackendCounters {
  const buckets = new Array(DURATION_BOUNDS.length + 1).fill(0);
  return {
    ...WORK,
    ...{
      name: 'web',
      mode: 'http',
      noServer: 0,
      drainCut: 0,
      refusedEarly: 0,
      ejections: 0,
      retriesRefused: 0,
      hedges: 0,
      hedgesWon: 0,
      tableEntries: 0,
      duration: { buckets, sum: 0, count: 0 },
      servers: [],
    },
    ...changes,
  };
}
