/**
 * What the data plane counts, as plain rows. Names follow HAProxy's statistics columns (management manual,
 * section 9.1) where it has the column. Counters only rise; gauges are the present; `…Max` are since start.
 * Rows of several planes are added up by the control process.
 */
export interface PlaneCounters {
  /** Client connections open. */
  readonly connections: number;
  readonly frontends: readonly FrontendCounters[];
  readonly backends: readonly BackendCounters[];
}

/** Answers by class, as HAProxy's hrsp_1xx … hrsp_other. */
export interface ResponseCounters {
  hrsp1xx: number;
  hrsp2xx: number;
  hrsp3xx: number;
  hrsp4xx: number;
  hrsp5xx: number;
  hrspOther: number;
}

interface SessionCounters {
  scur: number;
  smax: number;
  stot: number;
  bin: number;
  bout: number;
  /** Sessions in the current and the busiest second. */
  rate: number;
  rateMax: number;
}

export interface FrontendCounters extends SessionCounters, ResponseCounters {
  name: string;
  mode: 'http' | 'tcp';
  slim: number;
  /** Requests denied by a rule. */
  dreq: number;
  /** Bad or abandoned requests. */
  ereq: number;
  reqTot: number;
  reqRate: number;
  reqRateMax: number;
  connTot: number;
  connRate: number;
  connRateMax: number;
  /** Connections refused because of maxconn. */
  dcon: number;
  /** Requests answered by Vane itself (return, redirect). */
  intercepted: number;
  /** Connections that ended in the TLS handshake. */
  sslFailedHandshake: number;
}

/** What backends and servers both count. */
export interface WorkCounters extends SessionCounters, ResponseCounters {
  qcur: number;
  qmax: number;
  /** Requests that got no connection to a server; for a backend also those that got no server or place in line. */
  econ: number;
  /** Requests whose answer failed. */
  eresp: number;
  /** Attempts repeated on the same server, and on another one. */
  wretr: number;
  wredis: number;
  lbtot: number;
  reqTot: number;
  /** Requests broken off by a client, and answers by a server, or that one of them let run into a timeout. */
  cliAbrt: number;
  srvAbrt: number;
  /** New connections and reuses of idle ones. */
  connect: number;
  reuse: number;
  /** Milliseconds, averages over the last 1024 requests as HAProxy does, and maxima. */
  qtime: number;
  ctime: number;
  rtime: number;
  ttime: number;
  qtimeMax: number;
  ctimeMax: number;
  rtimeMax: number;
  ttimeMax: number;
  /** Wall-clock ms of the last request given out; 0: none yet. */
  lastSession: number;
}

export interface BackendCounters extends WorkCounters {
  name: string;
  mode: 'http' | 'tcp';
  /** Requests that found no server. */
  noServer: number;
  /** Work cut with a server that was gone or whose drain was over. */
  drainCut: number;
  /** Requests turned away at once, as the queue was too slow for them. */
  refusedEarly: number;
  /** Times that a server was passed over for what it did to its work. */
  ejections: number;
  /** Retries that the budget for them did not allow. */
  retriesRefused: number;
  /** Requests sent to a second server besides, as the first was slow, and those of them that it has answered. */
  hedges: number;
  hedgesWon: number;
  /** Entries in its `stick-table`. */
  tableEntries: number;
  duration: DurationHistogram;
  servers: ServerCounters[];
}

export interface ServerCounters extends WorkCounters {
  /** {@link ServerSnapshot.id}. */
  id: string;
  /** Planes in which new work passes it over at present. */
  ejected: number;
  idleConnections: number;
  usedConnections: number;
}

/** Upper bounds in seconds of {@link DurationHistogram.buckets}; one more bucket counts the rest. */
export const DURATION_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

/** Times of whole requests, from the first byte of the head to the last of the answer. */
export interface DurationHistogram {
  /** Requests in each bucket, not cumulative; `DURATION_BOUNDS.length + 1` of them. */
  buckets: number[];
  sum: number;
  count: number;
}
