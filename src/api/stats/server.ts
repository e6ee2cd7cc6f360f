import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { BindAddress } from '../../config/runtime/binds.ts';
import type { SystemView } from '../../control/view.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Part } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { statisticsCsv } from '../../observe/statistics/csv.ts';
import type { ClusterStatus } from '../../registry/cluster/cluster.ts';
import { HttpDoor } from '../http-door.ts';
import { CONTENT_SECURITY_POLICY } from '../page/style.ts';
import { isServedHost } from '../served-host.ts';
import { type MysqlOperations, orderAnswer } from './mysql-orders.ts';
import { explainAnswer, type Operations, operateAnswer, operateRefusal } from './operations.ts';
import { pageRequest, statisticsPage } from './page/page.ts';
import { scrapeFilter } from './scrape-filter.ts';
import { clearAnswer, type TableOperations, tablesAnswer } from './tables.ts';

/** Milliseconds. */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 10_000;
/** Longer than the minute between two scrapes. */
const KEEP_ALIVE_TIMEOUT = 75_000;
const SILENT_CONNECTION_TIMEOUT = 120_000;
/** Prometheus itself waits 10 s. */
const SCRAPE_TIMEOUT = 10_000;

/** Far more than a few scrapers and probes need. */
const MAX_CONNECTIONS = 500;
const CONNECTIONS_PER_CLIENT = 100;
/** Of the only request that has a body, bytes. */
const LARGEST_BODY = 4_096;
/** The only ones that are not read-only. */
const OPERATE = '/server';
const MYSQL_VIP = '/mysql-vip';
const TABLE = '/table';
const ORDERS: ReadonlySet<string | undefined> = new Set([OPERATE, MYSQL_VIP, TABLE]);
/** Where readers of HAProxy's CSV look for it: below any `stats uri`, whether or not the page refreshes itself. */
const CSV = ['/stats;csv', '/stats;csv;norefresh', '/;csv', '/;csv;norefresh'];

export interface StatsApiOptions {
  readonly bind: BindAddress;
  readonly metrics: Metrics;
  readonly view: () => Promise<SystemView>;
  readonly health: () => Health;
  /** What `vane mysql-vip` is told and does; by default there is none. */
  readonly mysqlVips?: MysqlOperations;
  /** What `vane explain` is told and `vane server` does; by default there is nothing to ask. */
  readonly operations?: Operations;
  /** What `vane table` is told and does; undefined while there is nobody to ask. */
  readonly tables?: () => TableOperations | undefined;
  /** What `vane cluster status` is told; undefined where no other node shares the registry. */
  readonly cluster?: () => Promise<ClusterStatus> | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Health {
  readonly alive: boolean;
  /** Takes new work. */
  readonly ready: boolean;
  /** Why it is not ready, one sentence each. */
  readonly reasons: readonly string[];
}

export interface StatsApi extends Part {
  /** The port listened on; 0 while not started. */
  readonly port: number;
}

/**
 * What Vane shows to those who watch it: `/stats` for people, `/stats;csv` for readers of HAProxy's statistics,
 * `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever starts
 * it and sends it traffic, `/explain` for whoever wonders. Read-only, but for what operators do with servers from this
 * machine. Starting rejects with BIND_FAILED. Stopping lets running requests finish
 * until the deadline and then cuts what is left.
 */
export function createStatsApi(options: StatsApiOptions): StatsApi {
  return new Server(options);
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Default: plain text. */
  readonly type?: string;
}

/** @param peer the client's address */
type Handler = (query: URLSearchParams, peer: string | undefined) => Answer | Promise<Answer>;

class Server implements StatsApi {
  readonly name = 'stats api';
  readonly #options: StatsApiOptions;
  readonly #door: HttpDoor;

  constructor(options: StatsApiOptions) {
    this.#options = options;
    const server = this.#build();
    this.#door = new HttpDoor(server, {
      ...options,
      name: this.name,
      maxConnections: MAX_CONNECTIONS,
      connectionsPerClient: CONNECTIONS_PER_CLIENT,
    });
  }

  get port(): number {
    return this.#door.port;
  }

  start(): Promise<void> {
    return this.#door.start();
  }

  stop(deadline: number): Promise<void> {
    return this.#door.stop(deadline);
  }

  #build(): FastifyInstance {
    const server = fastify({
      logger: false,
      exposeHeadRoutes: false,
      bodyLimit: LARGEST_BODY,
      return503OnClosing: false,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionTimeout: SILENT_CONNECTION_TIMEOUT,
      http: { headersTimeout: HEADERS_TIMEOUT },
      // A target that cannot be decoded: neither hooks nor routes see it.
      frameworkErrors: (_error, _request, reply) => {
        void this.#send(reply, { status: 400, body: 'Bad Request\n' });
      },
    });
    server.addHook('onRequest', async (request, reply) => {
      reply.raw.once('close', this.#door.connections.begin(request.raw.socket));
      const refusal = this.#refusal(request, reply);
      if (refusal) await this.#send(reply, refusal);
    });
    server.setErrorHandler((error, request, reply) => this.#failed(error, request, reply));
    server.setNotFoundHandler((_request, reply) => this.#send(reply, { status: 404, body: 'Not Found\n' }));
    this.#routeIndex(server);
    this.#route(server, '/stats', (query) => this.#page(query));
    for (const url of CSV) this.#route(server, url, () => this.#csv());
    this.#route(server, '/metrics', (query) => this.#metrics(query));
    this.#route(server, MYSQL_VIP, () => this.#mysqlVips());
    this.#route(server, '/explain', (query) => explainAnswer(this.#operations, query));
    this.#route(server, TABLE, (query, peer) => tablesAnswer(this.#tables, query, peer));
    this.#routeOperate(server);
    this.#route(server, '/cluster', () => this.#cluster());
    this.#route(server, '/healthz', () => this.#alive());
    this.#route(server, '/readyz', () => this.#ready());
    return server;
  }

  #route(server: FastifyInstance, url: string, handler: Handler): void {
    server.route({
      method: ['GET', 'HEAD'],
      url,
      handler: async (request, reply) => {
        await this.#send(reply, await handler(queryOf(request), request.socket.remoteAddress));
      },
    });
  }

  /** Browsers are shown the statistics, others what there is to ask. */
  #routeIndex(server: FastifyInstance): void {
    server.route({
      method: ['GET', 'HEAD'],
      url: '/',
      handler: async (request, reply) => {
        const isBrowser = request.headers.accept?.includes('text/html') === true;
        const answer = isBrowser ? await this.#page(queryOf(request)) : { status: 200, body: INDEX };
        await this.#send(reply.header('Vary', 'Accept'), answer);
      },
    });
  }

  #routeOperate(server: FastifyInstance): void {
    server.post(OPERATE, async (request, reply) => {
      const answer = await operateAnswer(
        this.#operations,
        queryOf(request),
        request.body,
        request.socket.remoteAddress,
      );
      await this.#send(reply, answer);
    });
    server.post(MYSQL_VIP, async (request, reply) => {
      const { mysqlVips = NO_MYSQL_VIPS } = this.#options;
      const { body, socket } = request;
      await this.#send(reply, await orderAnswer(mysqlVips, queryOf(request), body, socket.remoteAddress));
    });
    server.post(TABLE, async (request, reply) => {
      const { body, socket } = request;
      await this.#send(reply, await clearAnswer(this.#tables, queryOf(request), body, socket.remoteAddress));
    });
  }

  get #operations(): Operations {
    return this.#options.operations ?? NOTHING_TO_OPERATE;
  }

  get #tables(): TableOperations {
    return this.#options.tables?.() ?? NO_TABLES;
  }

  /** What is decided before the path matters. */
  #refusal(request: FastifyRequest, reply: FastifyReply): Answer | undefined {
    if (!isServedHost(request.headers.host, this.#options.bind.host)) {
      return { status: 403, body: 'This host is not served on a loopback address\n' };
    }
    if (request.method === 'GET' || request.method === 'HEAD') return undefined;
    const [path] = request.url.split('?', 1);
    if (request.method === 'POST' && ORDERS.has(path)) {
      const refusal = operateRefusal(request.headers, request.socket.remoteAddress, this.#options.bind.host);
      if (refusal) reply.header('Connection', 'close');
      return refusal;
    }
    // The body is not read, so the connection cannot go on.
    reply.header('Allow', 'GET, HEAD').header('Connection', 'close');
    return { status: 405, body: 'Method Not Allowed\n' };
  }

  async #metrics(query: URLSearchParams): Promise<Answer> {
    const { metrics, clock } = this.#options;
    const filter = scrapeFilter(query);
    if (!filter) return { status: 400, body: `Unknown scope\n` };
    const body = await within(clock, SCRAPE_TIMEOUT, metrics.text(filter));
    return { status: 200, body, type: metrics.contentType };
  }

  async #page(query: URLSearchParams): Promise<Answer> {
    const view = await this.#view();
    const { ready, reasons } = this.#options.health();
    const body = statisticsPage(view, ready ? [] : reasons, pageRequest(query));
    return { status: 200, body, type: HTML };
  }

  async #csv(): Promise<Answer> {
    return { status: 200, body: await statisticsCsv(await this.#view()) };
  }

  #view(): Promise<SystemView> {
    const { view, clock } = this.#options;
    return within(clock, SCRAPE_TIMEOUT, view());
  }

  #mysqlVips(): Answer {
    const { mysqlVips = NO_MYSQL_VIPS } = this.#options;
    return { status: 200, body: `${JSON.stringify(mysqlVips.view())}\n`, type: 'application/json' };
  }

  async #cluster(): Promise<Answer> {
    const status = await this.#options.cluster?.();
    if (!status)
      return { status: 404, body: 'No other node shares this registry: registry.store is not redis\n' };
    return { status: 200, body: `${JSON.stringify(status)}\n`, type: 'application/json' };
  }

  #alive(): Answer {
    const { alive } = this.#options.health();
    return alive ? { status: 200, body: 'ok\n' } : { status: 503, body: 'not alive\n' };
  }

  #ready(): Answer {
    const { ready, reasons } = this.#options.health();
    if (ready) return { status: 200, body: 'ready\n' };
    const lines = reasons.length > 0 ? reasons : ['not ready'];
    return { status: 503, body: lines.map((line) => `${line.replace(/\s+/g, ' ')}\n`).join('') };
  }

  #failed(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const status = statusOf(error);
    if (status < 500) return this.#send(reply, { status, body: `${messageOf(error)}\n` });
    this.#options.log.error({ url: request.url, error: messageOf(error) }, 'stats api request failed');
    return this.#send(reply, { status: 500, body: 'Internal Server Error\n' });
  }

  #send(reply: FastifyReply, { status, body, type = 'text/plain; charset=utf-8' }: Answer): FastifyReply {
    if (this.#door.stopping) reply.header('Connection', 'close');
    if (type === HTML) reply.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    return reply
      .code(status)
      .header('Content-Type', type)
      .header('Cache-Control', 'no-store')
      .header('X-Content-Type-Options', 'nosniff')
      .send(body);
  }
}

const HTML = 'text/html; charset=utf-8';

const NO_MYSQL_VIPS: MysqlOperations = { view: () => [], order: () => undefined };

const NO_TABLES: TableOperations = {
  names: [],
  list: async () => [],
  show: async () => undefined,
  clear: async () => undefined,
};

const NOTHING_TO_OPERATE: Operations = {
  backends: () => [],
  explain: () => undefined,
  operate: () => undefined,
  operateEverywhere: async () => undefined,
};

function queryOf({ url }: FastifyRequest): URLSearchParams {
  return new URLSearchParams(url.split('?', 2)[1] ?? '');
}

/** A body that is too long, or is not what it says it is, is the client's fault. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' && status >= 400 ? status : 500;
}

/** Rejects when `work` has not ended in time; it then goes on unheard. */
function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new Error(`no statistics within ${ms / 1000} s`)));
    work.then(resolve, reject).finally(cancel);
  });
}

const INDEX = `Vane

/stats  all statistics, for people (?backend=NAME, ?trouble, ?refresh=SECONDS)
/stats;csv  the same in HAProxy's CSV
/metrics  all statistics, for Prometheus (?scope=global, frontend, backend, server or resolver; no-maint)
/mysql-vip  what each mysql-vip does, as JSON
/explain  why servers are in or out, as JSON (?backend=NAME, &server=NAME)
/table  stick tables, as JSON (?backend=NAME for its entries, &key=KEY, &server=NAME, &limit=NUMBER)
/cluster  the nodes that share the registry, as JSON
/healthz  200 while the process works
/readyz   200 while it takes new work, else 503 and why not
`;
