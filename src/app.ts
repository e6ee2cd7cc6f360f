import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ProcessPort } from './api/consul/agent-process.ts';
import { type ConsulApi, createConsulApi } from './api/consul/server.ts';
import { DatacenterNames } from './api/datacenters/datacenter-names.ts';
import { Datacenters } from './api/datacenters/datacenters.ts';
import { requireHomes } from './api/definitions/read-files.ts';
import { createStatsApi, type StatsApi } from './api/stats/server.ts';
import { type ConfigChange, diffConfig } from './config/diff.ts';
import { withFixedSettings } from './config/fixed-settings.ts';
import type { RuntimeConfig } from './config/runtime/config.ts';
import type { RegistryConfig } from './config/runtime/registry.ts';
import { ClusterOrders } from './control/cluster-orders.ts';
import { Control } from './control/control.ts';
import { PlaneGroup } from './control/plane-group.ts';
import type { SystemView } from './control/view.ts';
import { forkWorker } from './control/worker-process.ts';
import { type Clock, systemClock } from './core/clock.ts';
import { asVaneError, VaneError } from './core/errors.ts';
import { Lifecycle } from './core/lifecycle.ts';
import type { Log } from './core/log.ts';
import { registryResolver } from './discovery/from-registry.ts';
import type { Resolver } from './discovery/resolution.ts';
import { createDnsServer, type DnsServer } from './dns/server.ts';
import { ExternalChecks } from './health/external-checks.ts';
import { LocalChecks } from './health/local-checks.ts';
import { Slots } from './health/slots.ts';
import { forgetLeftovers } from './mysql/registrations/builtin-instances.ts';
import { type VipListening, Vips } from './mysql/vips.ts';
import { createMetrics } from './observe/metrics.ts';
import type { AccessEntry } from './proxy/access-entry.ts';
import { bindSocket } from './proxy/plane/bound-socket.ts';
import { type ControlEnd, localChannel } from './proxy/plane/channel.ts';
import type { Listening } from './proxy/plane/messages.ts';
import { Registry } from './registry/registry.ts';
import { type Definitions, NO_DEFINITIONS } from './registry/sources/definitions.ts';
import { applyDefinitions } from './registry/sources/file-source.ts';
import { openStore } from './registry/stores/open-store.ts';

/** The Consul whose API and DNS the registry speaks; clients decide by it what they may ask for. */
const CONSUL_VERSION = '1.9.8';

/** In the data folder: what names stood for. */
const ANSWERS_FILE = 'last-answers.json';

/** Checks of all kinds at once in this process. */
const CHECKS_AT_ONCE = 200;

export interface AppOptions {
  readonly version: string;
  readonly log: Log;
  /** Takes the lines of the access log. */
  readonly access: (entry: AccessEntry) => void;
  /** Lines of the access log that had to be dropped so far. */
  readonly accessDropped: () => number;
  /** Takes the standard output of a worker process: log lines of all kinds. By default nobody reads them. */
  readonly workerOutput?: (stdout: Readable) => void;
  readonly clock?: Clock;
  /** What the definition files that the configuration names say. By default nothing. */
  readonly definitions?: Definitions;
  /** What the registry's API may ask of this process; undefined: nothing. */
  readonly process?: ProcessPort;
}

/** Where a running Vane can be reached; undefined: that door is shut. */
export interface Ports {
  readonly stats: number | undefined;
  readonly registryHttp: number | undefined;
  readonly registryDns: number | undefined;
  readonly frontends: readonly Listening[];
  readonly mysqlVips: readonly VipListening[];
}

/** The whole of Vane: everything is put together, started, reloaded and stopped here. */
export class App {
  readonly #options: AppOptions;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #lifecycle: Lifecycle;
  readonly #slots = new Slots(CHECKS_AT_ONCE);
  readonly #reloads = { taken: 0, refused: 0 };
  #config: RuntimeConfig;
  #control: Control | undefined;
  /** Undefined: the data plane is in this process. */
  #workers: PlaneGroup | undefined;
  #stats: StatsApi | undefined;
  #registry: Registry | undefined;
  #consul: ConsulApi | undefined;
  #dns: DnsServer | undefined;
  #datacenters: Datacenters | undefined;
  #vips: Vips | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(config: RuntimeConfig, options: AppOptions) {
    this.#config = config;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#startedAt = this.#clock.wall();
    this.#lifecycle = new Lifecycle({ clock: this.#clock, log: options.log });
  }

  /** Rejects with BIND_FAILED, CONFIG_INVALID, STORE_CORRUPT or STORE_FAILED; then nothing is left running. */
  static async start(config: RuntimeConfig, options: AppOptions): Promise<App> {
    const app = new App(config, options);
    await app.#start();
    return app;
  }

  get ports(): Ports {
    return {
      stats: this.#stats?.port,
      registryHttp: this.#consul?.port,
      registryDns: this.#dns?.port,
      frontends: this.#control?.listening ?? [],
      mysqlVips: this.#vips?.listening ?? [],
    };
  }

  async #start(): Promise<void> {
    const { global, registry } = this.#config;
    // First, so that what follows can be watched from outside; and last to stop, for the same reason.
    if (global.stats) await this.#startStats(global.stats.bind);
    const builtin = registry && (await this.#startRegistry(registry));
    const vips = await this.#startVips();
    const channel = await (global.workers > 0 ? this.#startWorkers(global) : this.#startPlane());
    const control = await this.#startControl(builtin, channel);
    try {
      await this.#apply(control, vips, this.#config);
    } catch (error) {
      await this.#lifecycle.stop(this.#clock.now());
      throw error;
    }
    this.#reloads.taken++;
  }

  /**
   * Takes another configuration: what did not change goes on undisturbed. Rejects with BIND_FAILED, and then the old
   * one is still in force, and with CONFIG_INVALID when a defined check has no service. What only a new process can
   * take over stays as it is and is among the changes. Rejects with STORE_FAILED or REGISTRY_INVALID when the registry
   * did not take all definitions: then everything else is taken.
   * Not to be called while another call is under way.
   */
  async reload(
    next: RuntimeConfig,
    definitions: Definitions = NO_DEFINITIONS,
  ): Promise<readonly ConfigChange[]> {
    const changes = diffConfig(this.#config, next);
    const effective = withFixedSettings(this.#config, next);
    try {
      if (this.#registry) requireHomes(definitions, this.#registry.catalog);
      if (this.#control && this.#vips) await this.#apply(this.#control, this.#vips, effective);
    } catch (error) {
      this.refused();
      throw error;
    }
    this.#config = effective;
    if (effective.registry) this.#consul?.setAccess(effective.registry.access);
    if (effective.registry) this.#datacenters?.set(effective.registry.datacenters);
    this.#workers?.set(effective.global);
    this.#reloads.taken++;
    if (this.#registry && next.registry) await define(this.#registry, definitions);
    return changes;
  }

  /**
   * Has other processes take the places of the workers, without a request that fails; see {@link PlaneGroup}. What
   * becomes of it is logged.
   */
  async replaceWorkers(): Promise<void> {
    if (this.#workers) return this.#workers.replaceWorkers();
    this.#options.log.warn({}, 'no workers to replace: global.workers is 0, all runs in one process');
  }

  /** Counts a configuration that could not be used. */
  refused(): void {
    this.#reloads.refused++;
  }

  /** Stops gracefully, within `hard-stop-after`; at once when told so. Idempotent. */
  stop(): Promise<void> {
    const deadline = this.#clock.now() + this.#config.global.hardStopAfter;
    this.#stopping ??= this.#lifecycle.stop(deadline);
    return this.#stopping;
  }

  /** All or nothing: rejects with BIND_FAILED, and then everything is as before. */
  async #apply(control: Control, vips: Vips, config: RuntimeConfig): Promise<void> {
    const opened = await vips.open(config.mysqlVips);
    try {
      await control.apply(config);
    } catch (error) {
      opened.discard();
      throw error;
    }
    await opened.take();
  }

  async #startStats(bind: { readonly host: string; readonly port: number }): Promise<void> {
    const { log, accessDropped: droppedHere } = this.#options;
    const accessDropped = () => droppedHere() + (this.#workers?.accessDropped ?? 0);
    const view = () => this.#view();
    this.#stats = createStatsApi({
      bind,
      view,
      metrics: createMetrics({ view, accessDropped }),
      health: () => this.#health(),
      mysqlVips: { view: () => this.#vips?.view() ?? [], order: (...order) => this.#vips?.order(...order) },
      operations: {
        backends: () => this.#control?.backends ?? [],
        explain: (backend, server) => this.#control?.explain(backend, server),
        operate: (...order) => this.#control?.orders.here(...order),
        operateEverywhere: async (...order) => this.#control?.orders.everywhere(...order),
      },
      tables: () => this.#control?.tables,
      cluster: () => this.#registry?.cluster?.status(),
      clock: this.#clock,
      log,
    });
    await this.#lifecycle.start(this.#stats);
  }

  async #startRegistry(config: RegistryConfig): Promise<Resolver> {
    const { log } = this.#options;
    const { node: name, datacenter } = this.#config.global;
    const { scriptChecks, dockerHost, nodeAddress: address, domain, warningsFail, lenientFields } = config;
    const clock = this.#clock;
    const store = openStore(config.store, { clock, log });
    const registry = new Registry({
      store,
      clock,
      log,
      node: { name, address, datacenter, meta: {} },
      warningsFail,
    });
    await this.#lifecycle.start(registry);
    this.#registry = registry;
    if (config.store.kind === 'redis' && config.store.leaveOnTerminate) registry.leaveOnStop();
    // Before anybody can ask where they are.
    await this.#lifecycle.start({
      name: 'mysql-vip of an earlier run',
      start: () => forgetLeftovers(registry),
      stop: async () => {},
    });
    const { definitions = NO_DEFINITIONS } = this.#options;
    await this.#lifecycle.start({
      name: 'definition files',
      start: async () => {
        requireHomes(definitions, registry.catalog);
        await applyDefinitions(registry, definitions);
      },
      stop: async () => {},
    });
    const others = { own: datacenter, configs: config.datacenters, clock, log };
    const datacenters = new Datacenters(others);
    await this.#lifecycle.start(datacenters);
    this.#datacenters = datacenters;
    const names = new DatacenterNames({ datacenters, clock, log });
    const slots = this.#slots;
    const checks = new LocalChecks({ registry, scriptChecks, dockerHost, clock, log, slots });
    await this.#lifecycle.start(checks);
    if (config.externalChecks)
      await this.#lifecycle.start(new ExternalChecks({ registry, clock, log, slots }));
    if (config.http) {
      const version = CONSUL_VERSION;
      this.#consul = createConsulApi({
        registry,
        checks,
        scriptChecks,
        bind: config.http,
        access: config.access,
        connectionsPerClient: config.httpConnectionsPerClient,
        warningsFail,
        lenientFields,
        datacenters,
        clock,
        log,
        version,
        ...(this.#options.process ? { process: this.#options.process } : {}),
      });
      await this.#lifecycle.start(this.#consul);
    }
    if (config.dns) {
      const options = { ...config.dnsConfig, warningsFail };
      this.#dns = createDnsServer({
        bind: config.dns,
        reader: registry.catalog,
        domain,
        log,
        clock,
        options,
        datacenters: names,
      });
      await this.#lifecycle.start(this.#dns);
      log.info({ host: config.dns.host, port: this.#dns.port }, 'consul dns listens');
    }
    return registryResolver(registry.catalog, domain, warningsFail, names);
  }

  /** They stop after frontends have: who is served there may need them. */
  async #startVips(): Promise<Vips> {
    const { node, dataDir } = this.#config.global;
    const { log } = this.#options;
    const vips = new Vips({ clock: this.#clock, log, node, registry: this.#registry, dataDir });
    await this.#lifecycle.start(vips);
    this.#vips = vips;
    return vips;
  }

  /** The data plane runs in this process; control talks to it as if it did not. */
  async #startPlane(): Promise<ControlEnd> {
    const { log, access } = this.#options;
    // Where workers carry the traffic, this process need not hold what they are made of.
    const { Plane } = await import('./proxy/plane/plane.ts');
    const { control, plane: channel } = localChannel();
    const plane = new Plane({ channel, clock: this.#clock, random: Math.random, log, access });
    await this.#lifecycle.start({
      name: 'data plane',
      start: async () => {},
      stop: async () => plane.close(),
    });
    return control;
  }

  async #startWorkers(settings: RuntimeConfig['global']): Promise<ControlEnd> {
    const { log, workerOutput = (stdout) => void stdout.resume() } = this.#options;
    const workers = new PlaneGroup({
      size: settings.workers,
      spawn: () => forkWorker(workerOutput),
      bind: bindSocket,
      settings,
      clock: this.#clock,
      log,
    });
    await this.#lifecycle.start(workers);
    this.#workers = workers;
    return workers.channel;
  }

  async #startControl(builtin: Resolver | undefined, channel: ControlEnd): Promise<Control> {
    const { log } = this.#options;
    const { dataDir } = this.#config.global;
    const clock = this.#clock;
    const registry = this.#registry;
    const clusterOrders = registry && new ClusterOrders({ registry, clock, log });
    if (clusterOrders) await this.#lifecycle.start(clusterOrders);
    const store = this.#config.registry?.store;
    const control = new Control({
      channel,
      clock,
      random: Math.random,
      log,
      builtin,
      answersFile: dataDir && join(dataDir, ANSWERS_FILE),
      slots: this.#slots,
      clusterOrders,
      redis: store?.kind === 'redis' ? store : undefined,
    });
    await this.#lifecycle.start(control);
    this.#control = control;
    return control;
  }

  async #view(): Promise<SystemView> {
    const { node } = this.#config.global;
    const { version } = this.#options;
    const workers = this.#workers?.workers ?? { running: 0, draining: 0, restarts: 0 };
    const facts = {
      ...{ node, version, pid: process.pid, startedAt: this.#startedAt },
      ...{
        reloads: this.#reloads,
        workers,
        storing: this.#registry?.storing,
        cluster: this.#registry?.cluster?.view,
        datacenters: this.#datacenters?.views,
      },
    };
    if (!this.#control) throw new VaneError('STOPPING', 'Vane is not up yet');
    return { ...(await this.#control.view(facts)), mysqlVips: this.#vips?.view() ?? [] };
  }

  #health() {
    const reasons = this.#control?.notReady ?? ['starting'];
    return { alive: true, ready: reasons.length === 0, reasons };
  }
}

/** As {@link applyDefinitions}, for what is said of a failure to make clear what has been taken. */
async function define(registry: Registry, definitions: Definitions): Promise<void> {
  try {
    await applyDefinitions(registry, definitions);
  } catch (error) {
    const { code, message } = asVaneError(error);
    throw new VaneError(code, `definition files: ${message}; all else is taken`, { cause: error });
  }
}
