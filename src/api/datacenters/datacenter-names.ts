import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { OtherDatacenters, Told, Wanted } from '../../dns/other-datacenters.ts';
import { RareLog } from '../../dns/rare-log.ts';
import { RecentMap } from '../../dns/recent-map.ts';
import type { Datacenter } from './datacenter.ts';
import type { Datacenters } from './datacenters.ts';
import { readEntries, readExecuted, readNode } from './service-entries.ts';
import type { Said } from './upstream.ts';

/** For so long an answer counts as what is so, ms. */
const FRESH_FOR = 1_000;
/** Look-ups at once; what is asked beyond is answered by what is remembered. */
const MAX_ASKED = 256;
const MAX_REMEMBERED = 4_096;
const MAX_REMEMBERED_BYTES = 16 * 1024 * 1024;
/** Of what is remembered, for each byte that came, and besides: roughly. */
const BYTES_PER_BYTE = 2;
const OVERHEAD = 500;

interface Remembered {
  /** Who said it: another of the same name may have taken its place. */
  readonly by: Datacenter;
  readonly told: Told;
  /** Clock ms. */
  readonly at: number;
}

/**
 * Names of other datacenters, looked up over HTTP: once for all who ask at the same time, remembered for a moment, and
 * for when the datacenter is away.
 */
export class DatacenterNames implements OtherDatacenters {
  readonly #datacenters: Datacenters;
  readonly #clock: Clock;
  readonly #log: RareLog;
  readonly #remembered = new RecentMap<Remembered>(MAX_REMEMBERED, MAX_REMEMBERED_BYTES);
  readonly #asked = new Map<string, Promise<Told | undefined>>();

  constructor(options: { readonly datacenters: Datacenters; readonly clock: Clock; readonly log: Log }) {
    this.#datacenters = options.datacenters;
    this.#clock = options.clock;
    this.#log = new RareLog(options.log, options.clock);
  }

  has(datacenter: string): boolean {
    return this.#datacenters.get(datacenter) !== undefined;
  }

  ask(name: string, wanted: Wanted): Told | undefined | Promise<Told | undefined> {
    const datacenter = this.#datacenters.get(name);
    if (!datacenter) return undefined;
    const target = targetOf(name, wanted);
    const key = `${name}${target}`;
    const before = this.#remembered.get(key);
    const known = before?.by === datacenter ? before : undefined;
    if (known && this.#clock.now() - known.at < FRESH_FOR) return known.told;
    const running = this.#asked.get(key);
    if (running) return running;
    if ((known && datacenter.isAway) || this.#asked.size >= MAX_ASKED) return stale(datacenter, known);
    const asking = this.#ask(datacenter, wanted, target, key)
      .then((told) => told ?? stale(datacenter, known))
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  async #ask(datacenter: Datacenter, wanted: Wanted, target: string, key: string): Promise<Told | undefined> {
    const said = await datacenter.ask({ method: 'GET', target, within: datacenter.config.timeout });
    if (!said) return undefined;
    try {
      const told = toldBy(said, wanted);
      const bytes = said.body.length * BYTES_PER_BYTE + key.length + OVERHEAD;
      this.#remembered.set(key, { by: datacenter, told, at: this.#clock.now() }, bytes);
      return told;
    } catch (error) {
      const fields = { datacenter: datacenter.config.name, error: messageOf(error) };
      this.#log.warn(fields, 'datacenter does not say what a name stands for');
      return undefined;
    }
  }
}

function stale(datacenter: Datacenter, known: Remembered | undefined): Told | undefined {
  if (known) datacenter.countStale();
  return known?.told;
}

function targetOf(datacenter: string, wanted: Wanted): string {
  const query = `?dc=${datacenter}&stale`;
  switch (wanted.kind) {
    case 'service':
      return `/v1/health/service/${encodeURIComponent(wanted.service)}${query}`;
    case 'node':
      return `/v1/catalog/node/${encodeURIComponent(wanted.node)}${query}`;
    case 'query':
      return `/v1/query/${encodeURIComponent(wanted.query)}/execute${query}`;
  }
}

const NOTHING: Told = { entries: [], node: undefined, query: undefined };

/** Throws for what is no answer. */
function toldBy({ status, body }: Said, wanted: Wanted): Told {
  if (status === 404 && wanted.kind === 'query') return NOTHING;
  if (status !== 200) throw new Error(`${status} ${body.toString('utf8', 0, 200)}`);
  switch (wanted.kind) {
    case 'service':
      return { ...NOTHING, entries: readEntries(body) };
    case 'node':
      return { ...NOTHING, node: readNode(body) };
    case 'query':
      return { ...NOTHING, ...readExecuted(body) };
  }
}
