import type { IncomingMessage } from 'node:http';
import { type DockerEndpoint, parseDockerHost } from '../config/docker-host.ts';
import { sleep, systemClock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { CheckKind } from '../registry/model.ts';
import { askEngine, type EngineRequest, engineWords } from './docker-engine.ts';
import { MultiplexedOutput } from './docker-output.ts';
import { capturedHead, DEFAULT_OUTPUT_MAX_SIZE, Tail } from './output.ts';
import type { Probe } from './probe.ts';
import { byExitCode, commandOf, programFailure, timedOut } from './script.ts';

type DockerKind = Extract<CheckKind, { kind: 'docker' }>;

export interface DockerProbeOptions {
  /** {@link parseDockerHost} */
  readonly dockerHost: string;
  /** ms, for the text that tells of it. */
  readonly timeout: number;
  readonly outputMaxSize: number;
}

/** Answers that are not a program's output are short. */
const LARGEST_ANSWER = 256 * 1024;
/** A program that has closed its output may run on: it is asked after again and again, ms. */
const ASK_AGAIN_MS = 100;

/**
 * Consul's Docker check (agent/checks CheckDocker): runs a program in a container that runs, by the engine's `exec`. Exit
 * code 0 passes, 1 warns, anything else is critical. The engine has no way to end what it has begun: a program that takes
 * too long is left to the container.
 */
export function dockerProbe(kind: DockerKind, options: DockerProbeOptions): Probe {
  return {
    async run(signal) {
      const command = commandOf(kind);
      if (!command[0]) return programFailure('exec: no command');
      const endpoint = parseDockerHost(options.dockerHost);
      if (!endpoint.ok) return programFailure(`unable to parse docker host \`${options.dockerHost}\``);
      const output = new Tail(options.outputMaxSize);
      try {
        const exec = new Exec(endpoint.value, kind.container, signal);
        const id = await exec.create(command);
        await exec.start(id, output);
        return byExitCode(await exec.exitCode(id), output);
      } catch (error) {
        return signal.aborted ? timedOut(options.timeout, output) : programFailure(messageOf(error));
      }
    },
  };
}

/** One program in one container. Everything rejects with Consul's words for what went wrong. */
class Exec {
  readonly #endpoint: DockerEndpoint;
  readonly #container: string;
  readonly #signal: AbortSignal;

  constructor(endpoint: DockerEndpoint, container: string, signal: AbortSignal) {
    this.#endpoint = endpoint;
    this.#container = container;
    this.#signal = signal;
  }

  /** The id of what is to run. */
  async create(command: readonly string[]): Promise<string> {
    const path = `/containers/${encodeURIComponent(this.#container)}/exec`;
    const body = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: command };
    const answer = await this.#ask('create exec', { method: 'POST', path, body });
    if (answer.statusCode === 404) {
      throw await this.#refused(answer, `create exec failed for unknown container ${this.#container}`);
    }
    if (answer.statusCode !== 201) throw await this.#unexpected('create exec', answer);
    const { Id } = await this.#json('create exec', answer);
    if (typeof Id !== 'string') throw this.#unreadable('create exec', 'there is no Id');
    return Id;
  }

  /** Ends when the program has closed its output. */
  async start(id: string, output: Tail): Promise<void> {
    const body = { Detach: false, Tty: false };
    const answer = await this.#ask('start exec', { method: 'POST', path: pathOf(id, 'start'), body });
    if (answer.statusCode === 404) throw await this.#invalidId('start exec', id, answer);
    if (answer.statusCode !== 200) throw await this.#unexpected('start exec', answer);
    const frames = new MultiplexedOutput(output);
    try {
      for await (const chunk of answer) frames.write(chunk);
    } catch (error) {
      // Some engines end the output by a reset.
      if (!isReset(error) || this.#signal.aborted) throw error;
    }
  }

  /** Waits for the end of a program that has none yet. */
  async exitCode(id: string): Promise<number> {
    for (;;) {
      const answer = await this.#ask('inspect exec', { method: 'GET', path: pathOf(id, 'json') });
      if (answer.statusCode === 404) throw await this.#invalidId('inspect exec', id, answer);
      if (answer.statusCode !== 200) throw await this.#unexpected('inspect exec', answer);
      const { Running, ExitCode } = await this.#json('inspect exec', answer);
      if (Running !== true) {
        if (typeof ExitCode !== 'number') throw this.#unreadable('inspect exec', 'there is no ExitCode');
        return ExitCode;
      }
      await sleep(systemClock, ASK_AGAIN_MS, this.#signal);
    }
  }

  async #ask(step: string, asked: EngineRequest): Promise<IncomingMessage> {
    try {
      return await askEngine(this.#endpoint, asked, this.#signal);
    } catch (error) {
      const why = error instanceof Error ? engineWords(error, this.#endpoint) : messageOf(error);
      throw new Error(`${step} failed for container ${this.#container}: ${why}`);
    }
  }

  async #json(step: string, answer: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
    const text = await textOf(answer);
    try {
      return Object(JSON.parse(text));
    } catch (error) {
      throw this.#unreadable(step, messageOf(error));
    }
  }

  #unreadable(step: string, why: string): Error {
    return new Error(`${step} response for container ${this.#container} cannot be parsed: ${why}`);
  }

  #invalidId(step: string, id: string, answer: IncomingMessage): Promise<Error> {
    return this.#refused(answer, `${step} failed for container ${this.#container}: invalid exec id ${id}`);
  }

  async #unexpected(step: string, answer: IncomingMessage): Promise<Error> {
    const { statusCode } = answer;
    if (statusCode === 409) {
      const message = `${step} failed since container ${this.#container} is paused or stopped`;
      return this.#refused(answer, message);
    }
    const said = capturedHead((await textOf(answer)).trim(), DEFAULT_OUTPUT_MAX_SIZE);
    return new Error(`${step} failed for container ${this.#container} with status ${statusCode}: ${said}`);
  }

  /** What the engine says besides is not needed. */
  async #refused(answer: IncomingMessage, message: string): Promise<Error> {
    answer.destroy();
    return new Error(message);
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}

function pathOf(id: string, step: 'start' | 'json'): string {
  return `/exec/${encodeURIComponent(id)}/${step}`;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > LARGEST_ANSWER) throw new Error(`the engine's answer is longer than ${LARGEST_ANSWER} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}
