import type { Socket } from 'node:net';
import type { FrontendBind } from '../../config/runtime/binds.ts';
import type { FrontendConfig } from '../../config/runtime/frontends.ts';
import type { VaneError } from '../../core/errors.ts';
import type { FrontendCounters } from './counters.ts';
import { FrontendTally } from './frontend-tally.ts';

/** Serves the connections of one frontend; one implementation per mode. */
export interface Acceptor {
  /**
   * Takes a client's connection over, from its first byte to its end. Never throws.
   * @param proto what is spoken on it, where that is not agreed on while it is encrypted
   */
  serve(socket: Socket, proto?: FrontendBind['proto']): void;
  /** Takes a new configuration of the same mode; what is under way goes on as it began. */
  update(config: FrontendConfig): void;
  /**
   * No connection is to outlive what it does: clients are told so with their next answer, and idle ones are ended,
   * spread over so many ms. Not undone.
   */
  drain(spread: number): void;
  /** Ends everything; returns how much was under way. */
  cut(reason: VaneError): number;
}

/** A frontend at work: its configuration and its counters, which outlive reloads; the listeners are the plane's. */
export class LiveFrontend {
  config: FrontendConfig;
  readonly tally = new FrontendTally();

  constructor(config: FrontendConfig) {
    this.config = config;
  }

  get name(): string {
    return this.config.name;
  }

  counters(now: number): FrontendCounters {
    const { name, mode, maxconn: slim } = this.config;
    return { name, mode, slim, ...this.tally.read(now) };
  }
}
