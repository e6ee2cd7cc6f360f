import type { Socket } from 'node:net';
import type { FrontendBind } from '../../config/runtime/binds.ts';
import type { FrontendConfig } from '../../config/runtime/frontends.ts';
import type { VaneError } from '../../core/errors.ts';
import { CompatLane } from '../lanes/compat/lane.ts';
import { DirectLane } from '../lanes/direct/lane.ts';
import { H2Lane, speaksH2 } from '../lanes/h2/lane.ts';
import type { Lane, LaneHost, RefusedRequest } from '../lanes/host.ts';
import type { Exchange } from '../lanes/lane.ts';
import type { PlaneContext } from '../plane/context.ts';
import type { Acceptor, LiveFrontend } from '../plane/live-frontend.ts';
import { compileRoute, type Route } from '../rules/route.ts';
import { refusedEntry } from './http-entry.ts';
import { HttpLife } from './http-life.ts';
import type { HttpSite } from './http-record.ts';
import { compileRules, type HttpRules } from './rules.ts';

/** Serves the connections of one HTTP frontend: a lane reads requests, each gets its {@link HttpLife}. */
export class HttpAcceptor implements Acceptor, LaneHost, HttpSite {
  readonly frontend: LiveFrontend;
  readonly context: PlaneContext;
  rules: HttpRules;
  route: Route;
  readonly #lanes: Readonly<Record<FrontendConfig['options']['httpLane'], Lane>>;
  readonly #h2: Lane;
  #requests = 0;
  /** Over how many ms idle connections are ended; undefined: not draining. */
  #spread: number | undefined;
  #turn = 0;

  constructor(frontend: LiveFrontend, context: PlaneContext) {
    this.frontend = frontend;
    this.context = context;
    this.rules = compileRules(frontend.config);
    this.route = compileRoute(frontend.config);
    this.#lanes = { direct: new DirectLane(this, context), compat: new CompatLane(this, context) };
    this.#h2 = new H2Lane(this, context, () => frontend.config.options.maxConcurrentStreams);
  }

  get draining(): boolean {
    return this.#spread !== undefined;
  }

  get timeouts(): FrontendConfig['timeout'] {
    const { timeout } = this.frontend.config;
    return this.#spread === undefined ? timeout : this.#shortened(timeout, this.#spread);
  }

  update(config: FrontendConfig): void {
    this.rules = compileRules(config);
    this.route = compileRoute(config);
  }

  serve(socket: Socket, proto?: FrontendBind['proto']): void {
    const lane =
      proto === 'h2' || speaksH2(socket) ? this.#h2 : this.#lanes[this.frontend.config.options.httpLane];
    lane.serve(socket);
  }

  handle(exchange: Exchange): void {
    this.#requests++;
    new HttpLife(this, exchange, this.#onOver).begin();
  }

  readonly #onOver = () => {
    this.#requests--;
  };

  refused(request: RefusedRequest): void {
    const { tally, config } = this.frontend;
    tally.ereq++;
    tally.reqTot++;
    tally.requests.hit(this.context.clock.now());
    // As in HAProxy, what is answered without having been understood is an answer all the same.
    if (request.status !== undefined) tally.responses.add(request.status);
    tally.sessions.bin += request.bytesIn;
    tally.sessions.bout += request.bytesOut;
    const { accessLog } = config.options;
    if (accessLog !== 'off') this.context.access(refusedEntry(accessLog, this, request));
  }

  drain(spread: number): void {
    this.#spread = spread;
    for (const lane of this.#all) lane.hurryIdle();
  }

  cut(reason: VaneError): number {
    const underWay = this.#requests;
    for (const lane of this.#all) lane.destroy(reason);
    return underWay;
  }

  get #all(): readonly Lane[] {
    return [...Object.values(this.#lanes), this.#h2];
  }

  /**
   * One idle connection after the other, evenly whatever their number: not all clients come back at once. None in the
   * first half of the time: clients that ask often are told with an answer.
   */
  #shortened(timeout: FrontendConfig['timeout'], spread: number): FrontendConfig['timeout'] {
    this.#turn = (this.#turn + GOLDEN_RATIO) % 1;
    const wait = Math.max(1, ((1 + this.#turn) / 2) * spread);
    const { httpKeepAlive } = timeout;
    return { ...timeout, httpKeepAlive: httpKeepAlive > 0 ? Math.min(httpKeepAlive, wait) : wait };
  }
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;
