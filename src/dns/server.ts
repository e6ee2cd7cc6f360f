import { randomInt } from 'node:crypto';
import type { BindAddress } from '../config/runtime/binds.ts';
import type { Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Part } from '../core/lifecycle.ts';
import type { Log } from '../core/log.ts';
import type { CatalogReader } from '../registry/reader.ts';
import { serverFailure } from './handler.ts';
import {
  DEFAULT_DNS_OPTIONS,
  type DnsServerOptions,
  type ListenerContext,
  type Respond,
} from './listener.ts';
import type { OtherDatacenters } from './other-datacenters.ts';
import { RareLog } from './rare-log.ts';
import { Recursors } from './recursors.ts';
import { Responder } from './responder.ts';
import { TcpListener } from './server-tcp.ts';
import { UdpListener } from './server-udp.ts';

/** The registry's DNS door: a {@link Part} that knows its port once it is started. */
export interface DnsServer extends Part {
  /** The same for UDP and TCP; the chosen one where port 0 was asked for. */
  readonly port: number;
}

/** How often another port is tried when the system's choice for TCP is taken for UDP. */
const PORT_ATTEMPTS = 20;

/**
 * Serves the registry's zone over UDP and TCP on one address. `start` rejects with BIND_FAILED, holding nothing.
 *
 * @param config.random at least 0, less than 1; decides the order of answers
 */
export function createDnsServer(config: {
  readonly bind: BindAddress;
  readonly reader: CatalogReader;
  readonly domain: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly random?: () => number;
  /** Who knows names in other datacenters. By default there are no others. */
  readonly datacenters?: OtherDatacenters;
  readonly options?: Partial<DnsServerOptions>;
}): DnsServer {
  const { bind, reader, domain, clock, log } = config;
  const options: DnsServerOptions = { ...DEFAULT_DNS_OPTIONS, ...config.options };
  const recursors =
    options.recursors.length === 0
      ? undefined
      : new Recursors({
          nameservers: options.recursors,
          timeout: options.recursorTimeout,
          clock,
          randomId: () => randomInt(0x10000),
        });
  const responder = new Responder(reader, {
    domain,
    altDomain: options.altDomain,
    policy: options,
    udpAnswerLimit: options.udpAnswerLimit,
    enableTruncate: options.enableTruncate,
    recursionAvailable: options.recursionAvailable,
    recursors,
    datacenters: config.datacenters,
    random: config.random ?? Math.random,
    now: () => clock.wall() / 1000,
  });
  const rareLog = new RareLog(log, clock);
  const failed = (error: unknown, message: Buffer, transport: 'udp' | 'tcp') => {
    rareLog.error({ error: messageOf(error), transport }, 'dns query could not be answered');
    return serverFailure(message);
  };
  const respond: Respond = (message, transport) => {
    try {
      const reply = responder.respond(message, transport);
      if (!(reply instanceof Promise)) return reply;
      return reply.catch((error: unknown) => failed(error, message, transport));
    } catch (error) {
      return failed(error, message, transport);
    }
  };
  return new Server(bind, { respond, clock, log: rareLog, options }, recursors);
}

class Server implements DnsServer {
  readonly name = 'dns server';
  readonly #bind: BindAddress;
  readonly #context: ListenerContext;
  readonly #recursors: Recursors | undefined;
  #tcp: TcpListener | undefined;
  #udp: UdpListener | undefined;
  #port: number;

  constructor(bind: BindAddress, context: ListenerContext, recursors: Recursors | undefined) {
    this.#bind = bind;
    this.#recursors = recursors;
    this.#context = context;
    this.#port = bind.port;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const { host, port } = this.#bind;
    for (let attempt = 1; ; attempt++) {
      const tcp = new TcpListener(this.#context);
      const udp = new UdpListener(this.#context);
      try {
        const chosen = await tcp.listen(host, port);
        await udp.listen(host, chosen);
        this.#tcp = tcp;
        this.#udp = udp;
        this.#port = chosen;
        return;
      } catch (error) {
        await Promise.all([tcp.close(0), udp.close()]);
        if (port === 0 && attempt < PORT_ATTEMPTS && isAddressInUse(error)) continue;
        throw new VaneError('BIND_FAILED', `dns cannot listen on ${host}:${port}: ${messageOf(error)}`, {
          cause: error,
        });
      }
    }
  }

  async stop(deadline: number): Promise<void> {
    this.#recursors?.close();
    await Promise.all([this.#tcp?.close(deadline), this.#udp?.close()]);
  }
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
