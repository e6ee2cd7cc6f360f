import { ConfigError, wholeFile } from '../../config/problem.ts';
import type { RuntimeConfig } from '../../config/runtime/config.ts';
import type { Cancel, Clock } from '../../core/clock.ts';
import type { VaneError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Followed } from '../../discovery/consul/followed.ts';
import { AskFailure, ConsulHttpApi } from '../../discovery/consul/http-api.ts';
import type { Configuration } from './configuration.ts';
import { parseHere } from './here.ts';
import { KeptCopy } from './kept-copy.ts';
import type { KvAddress } from './kv-address.ts';
import { textOfValue } from './kv-value.ts';

/** A watch that says nothing for a good half more than this is cut, ms. */
const WAIT_MS = 30_000;
/** Of an address that neither answers nor refuses. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * A configuration that is the value of a key, followed by blocking queries until it is closed. That the store is away,
 * or the key, changes nothing while Vane runs; a start then takes the copy that was kept, if one was.
 */
export class KvConfiguration implements Configuration {
  readonly #address: KvAddress;
  readonly #clock: Clock;
  readonly #patience: number;
  readonly #api: ConsulHttpApi;
  readonly #followed: Followed<string>;
  readonly #copy: KeptCopy | undefined;
  /** What was loaded last, whatever came of it. */
  #loaded: string | undefined;
  #isInForce = false;
  /** Why the kept copy was taken instead of what is in the store. */
  #insteadOf: ConfigError | undefined;
  #deaf: Cancel = () => {};
  /** Ends a wait for a first answer. */
  #giveUp: () => void = () => {};

  /** @param patience how long a first load without a kept copy waits for a store that is away, ms */
  constructor(address: KvAddress, clock: Clock, patience: number) {
    const { urls, ca, key, datacenter, cache } = address;
    this.#address = address;
    this.#clock = clock;
    this.#patience = patience;
    this.#copy = cache === undefined ? undefined : new KeptCopy(cache, key);
    const access = {
      urls,
      ca,
      get token() {
        return address.token();
      },
    };
    this.#api = new ConsulHttpApi(access, clock);
    this.#followed = new Followed({
      api: this.#api,
      path: pathOf(key, datacenter),
      canWait: true,
      read: textOfValue,
      wait: () => WAIT_MS,
      clock,
      random: Math.random,
    });
  }

  async load(): Promise<RuntimeConfig> {
    try {
      if (!this.#isInForce) await this.#firstWord(this.#copy ? 0 : this.#patience);
      return this.#parseKnown();
    } catch (error) {
      if (!(error instanceof ConfigError) || (this.#isInForce && this.#followed.answered)) throw error;
      return this.#parseCopy(error);
    }
  }

  /** What the store has, and nothing else. Rejects with ConfigError. */
  async loadStrictly(): Promise<RuntimeConfig> {
    await this.#firstWord(0);
    return this.#parseKnown();
  }

  async taken(log: Log): Promise<void> {
    this.#isInForce = true;
    if (this.#insteadOf === undefined && this.#loaded !== undefined)
      await this.#copy?.write(this.#loaded, log);
  }

  follow(log: Log, changed: () => void): void {
    const { text } = this.#address;
    if (this.#insteadOf !== undefined) {
      const fields = { key: text, file: this.#copy?.file, why: this.#insteadOf.message.split('\n') };
      log.warn(fields, 'the configuration is the copy that was kept, not what the store has');
    }
    let isAway = this.#followed.error !== undefined;
    const look = () => {
      const { error, answered } = this.#followed;
      if (error && !isAway) {
        log.warn(
          { key: text, error: this.#reason(error) },
          'the configuration is not to be had: it stays as it is',
        );
      } else if (!error && isAway) log.info({ key: text }, 'the configuration is to be had again');
      isAway = error !== undefined;
      if (error || !answered || answered.facts === this.#loaded) return;
      log.info({ key: text }, 'the configuration has changed in the store');
      changed();
    };
    this.#deaf = this.#followed.listen(look);
    // It may have changed since it was loaded.
    look();
  }

  close(): void {
    this.#deaf();
    this.#giveUp();
    this.#followed.stop();
    this.#api.close();
  }

  /** What the store said last, whether or not it can be asked now. */
  #parseKnown(): RuntimeConfig {
    const { answered, error } = this.#followed;
    if (!answered) throw this.#unreadable(error);
    this.#loaded = answered.facts;
    const config = parseHere(this.#address.text, answered.facts);
    this.#insteadOf = undefined;
    return config;
  }

  /** @param insteadOf why it is wanted; thrown where there is none */
  #parseCopy(insteadOf: ConfigError): RuntimeConfig {
    try {
      const text = this.#copy?.read();
      if (this.#copy === undefined || text === undefined) throw insteadOf;
      const config = parseHere(this.#copy.file, text);
      this.#insteadOf = insteadOf;
      return config;
    } catch (error) {
      if (!(error instanceof ConfigError) || error === insteadOf) throw error;
      throw new ConfigError([...insteadOf.problems, ...error.problems]);
    }
  }

  /** Waits for an answer, and through failures for so many ms. Rejects with ConfigError when there is none. */
  async #firstWord(patience: number): Promise<void> {
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    this.#giveUp = resolve;
    const look = () => {
      if (this.#followed.answered || (this.#followed.error && patience === 0)) resolve();
    };
    const deaf = this.#followed.listen(look);
    look();
    const cancel = this.#clock.after(patience || ANSWER_WITHIN_MS, resolve);
    await heard;
    cancel();
    deaf();
    if (!this.#followed.answered) throw this.#unreadable(this.#followed.error);
  }

  #reason(error: VaneError | undefined): string {
    if (error === undefined) return 'there is no answer yet';
    if (!(error instanceof AskFailure) || error.status !== 404) return error.message;
    const { key } = this.#address;
    return `there is no key ${key}: put it there, as by vane kv put ${key} @vane.yaml (${error.message})`;
  }

  #unreadable(error: VaneError | undefined): ConfigError {
    return new ConfigError([wholeFile(this.#address.text, `cannot be read: ${this.#reason(error)}`)]);
  }
}

function pathOf(key: string, datacenter: string | undefined): string {
  const path = `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
  return datacenter === undefined ? path : `${path}?dc=${encodeURIComponent(datacenter)}`;
}
