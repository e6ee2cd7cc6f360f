import type { Socket } from 'node:net';
import type { FrontendConfig } from '../../config/runtime.ts';
import type { VaneError } from '../../core/errors.ts';
import { CompatLane } from '../lanes/compat/lane.ts';
import { DirectLane } from '../lanes/direct/lane.ts';
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
  draining = false;
  readonly #lanes: Readonly<Record<FrontendConfig['options']['httpLane'], Lane>>;
  #requests = 0;

  constructor(frontend: LiveFrontend, context: PlaneContext) {
    this.frontend = frontend;
    this.context = context;
    this.rules = compileRules(frontend.config);
    this.route = compileRoute(frontend.config);
    this.#lanes = { direct: new DirectLane(this, context), compat: new CompatLane(this, context) };
  }

  get timeouts(): FrontendConfig['timeout'] {
    return this.frontend.config.timeout;
  }

  update(config: FrontendConfig): void {
    this.rules = compileRules(config);
    this.route = compileRoute(config);
  }

  serve(socket: Socket): void {
    this.#lanes[this.frontend.config.options.httpLane].serve(socket);
  }

  handle(exchange: Exchange): void {
    this.#requests++;
    void new HttpLife(this, exchange).run().finally(() => {
      this.#requests--;
    });
  }

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

  drain(): void {
    this.draining = true;
    for (const lane of Object.values(this.#lanes)) lane.closeIdle();
  }

  cut(reason: VaneError): number {
    const underWay = this.#requests;
    for (const lane of Object.values(this.#lanes)) lane.destroy(reason);
    return underWay;
  }
}
