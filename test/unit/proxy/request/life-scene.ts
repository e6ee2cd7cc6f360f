import type { ServerSnapshot } from '../../../../src/balance/server.ts';
import type { BackendConfig } from '../../../../src/config/runtime/backends.ts';
import type { FrontendConfig } from '../../../../src/config/runtime/frontends.ts';
import type { AccessEntry, HttpAccessEntry } from '../../../../src/proxy/access-entry.ts';
import type { RequestHead } from '../../../../src/proxy/lanes/lane.ts';
import type { PlaneContext } from '../../../../src/proxy/plane/context.ts';
import { LiveBackend } from '../../../../src/proxy/plane/live-backend.ts';
import { LiveFrontend } from '../../../../src/proxy/plane/live-frontend.ts';
import { HttpLife } from '../../../../src/proxy/request/http-life.ts';
import type { HttpSite } from '../../../../src/proxy/request/http-record.ts';
import { compileRules } from '../../../../src/proxy/request/rules.ts';
import { compileRoute } from '../../../../src/proxy/rules/route.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { backendConfig, frontendConfig, serverSnapshot } from '../fixtures.ts';
import { type Play, ScriptedExchange } from './scripted-exchange.ts';

export interface SceneOptions {
  readonly servers?: readonly ServerSnapshot[];
  readonly backend?: Partial<BackendConfig>;
  readonly frontend?: Partial<FrontendConfig>;
}

/** A frontend and a backend at work, on a clock of the test's, and whatever requests the test makes. */
export class LifeScene {
  readonly clock = new FakeClock();
  readonly frontend: LiveFrontend;
  readonly backend: LiveBackend;
  readonly entries: AccessEntry[] = [];
  readonly errors: object[] = [];
  readonly site: { -readonly [K in keyof HttpSite]: HttpSite[K] };
  /** The plane is being emptied. */
  draining = false;
  onAccess: (entry: AccessEntry) => void = (entry) => this.entries.push(entry);

  constructor({ servers, backend, frontend }: SceneOptions = {}) {
    this.clock.advance(1_000);
    const config = frontendConfig(frontend);
    this.frontend = new LiveFrontend(config);
    this.backend = new LiveBackend(backendConfig(backend), {
      clock: this.clock,
      random: () => 0,
      events: {
        idle: () => {},
        trouble: () => {},
        steered: () => {},
        observed: () => {},
        cut: () => {},
        spared: () => {},
      },
    });
    this.backend.setServers(servers ?? [serverSnapshot('a'), serverSnapshot('b')]);
    this.site = {
      frontend: this.frontend,
      context: this.#context(),
      rules: compileRules(config),
      route: compileRoute(config),
      draining: false,
    };
  }

  /** Lets a request live until it waits for something that the test has to bring about. */
  async begin(
    script: readonly Play[] = [],
    head?: RequestHead,
    prepare: (exchange: ScriptedExchange) => void = () => {},
  ): Promise<Running> {
    const exchange = new ScriptedExchange(() => this.clock.now(), script, head);
    prepare(exchange);
    const running: Running = { exchange, over: false };
    new HttpLife(this.site, exchange, () => {
      running.over = true;
    }).begin();
    await settle();
    return running;
  }

  /** A request that is over without anything happening meanwhile. */
  async run(script: readonly Play[] = [], head?: RequestHead): Promise<ScriptedExchange> {
    const { exchange, over } = await this.begin(script, head);
    if (!over) throw new Error(`not over after ${exchange.attempts.length} attempts`);
    return exchange;
  }

  /** The last line of the access log. */
  get entry(): HttpAccessEntry {
    const entry = this.entries.at(-1);
    if (entry?.mode !== 'http') throw new Error('no entry');
    return entry;
  }

  get counters() {
    return this.backend.counters();
  }

  server(name: string) {
    const row = this.counters.servers.find(({ id }) => id === serverSnapshot(name).id);
    if (!row) throw new Error(`no server ${name}`);
    return row;
  }

  #context(): PlaneContext {
    const { clock, backend, errors } = this;
    const isDraining = () => this.draining;
    return {
      clock,
      log: { debug() {}, info() {}, warn() {}, error: (fields) => errors.push(fields) },
      connections: 9,
      get draining() {
        return isDraining();
      },
      backend: (name) => (name === backend.name ? backend : undefined),
      access: (entry) => this.onAccess(entry),
    };
  }
}

export interface Running {
  readonly exchange: ScriptedExchange;
  over: boolean;
}
