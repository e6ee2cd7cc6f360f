import type { AgentConfig } from '../config/runtime/server-checks.ts';
import type { Clock } from '../core/clock.ts';
import type { Listenable } from '../core/emitter.ts';
import type { Part } from '../core/lifecycle.ts';
import { type AgentReply, parseAgentReply } from './agent-reply.ts';
import { agentScript } from './agent-script.ts';
import { describeCode } from './check-codes.ts';
import { dialogueProbe } from './dialogue.ts';
import type { ProbeResult } from './probe.ts';
import { Runner } from './runner.ts';
import { type SharedCheck, SharedChecks } from './shared-checks.ts';
import { SLOT_FOR_MS, type Slots } from './slots.ts';

/** One server whose agent is to be asked. */
export interface ServerAgentTarget {
  /** `backend/server`, unique. */
  readonly id: string;
  readonly address: string;
  readonly agent: AgentConfig;
}

/** What an agent has said of its server so far: each thing as it said it last. */
export interface ServerAgentFacts extends Omit<AgentReply, 'health' | 'why'> {
  readonly up: boolean;
  /** The line that it last said, and how it was asked: `agent said "down#disk full"`. */
  readonly why: string;
  /** HAProxy's `agent_status`: L7OK, L7STS where it says that its server is down, L4CON, L7TOUT…; INI at first. */
  readonly lastCode: string;
  /** `agent_duration`; undefined before the first result. */
  readonly durationMs: number | undefined;
  /** `agent_desc`. */
  readonly desc: string;
  /** `last_agt`: what it said, or what the system did. */
  readonly info: string;
}

const FIRST_WITHIN_MS = 1000;
const AT_FIRST: ServerAgentFacts = {
  up: true,
  why: 'the agent has not been heard yet',
  lastCode: 'INI',
  durationMs: undefined,
  desc: describeCode('INI'),
  info: '',
};

/**
 * Asks agents beside servers how those do (HAProxy's `agent-check`). An agent that cannot be reached, or that says
 * nothing that means something here, changes nothing: only what an agent has said counts, until it says otherwise.
 */
export class ServerAgents implements Part {
  readonly name = 'server agents';
  readonly #shared: SharedChecks<ServerAgentTarget, ServerAgentFacts>;

  constructor(deps: { readonly clock: Clock; readonly random: () => number; readonly slots: Slots }) {
    this.#shared = new SharedChecks({
      clock: deps.clock,
      keyOf: ({ address, agent }) =>
        JSON.stringify([agent.addr ?? address, agent.port, agent.inter, agent.send]),
      isSame: (a, b) => a.address === b.address && a.agent === b.agent,
      isSameServer: (a, b) => a.address === b.address,
      begin: (target, before, onResult) => new AgentCheck(target, before, { ...deps, onResult }),
    });
  }

  /** Whatever an agent has newly said, once for each target it is about. */
  get news(): Listenable<ServerAgentFacts & { readonly id: string }> {
    return this.#shared.flips;
  }

  async start(): Promise<void> {}

  stop(deadline: number): Promise<void> {
    return this.#shared.stop(deadline);
  }

  /** As with {@link ServerChecks}: which targets of an owner there are from now on. */
  set(owner: string, targets: Iterable<ServerAgentTarget>): void {
    this.#shared.set(owner, targets);
  }

  change(owner: string, targets: Iterable<ServerAgentTarget>, gone: Iterable<string>): void {
    this.#shared.change(owner, targets, gone);
  }

  /** Undefined: that server has no agent. */
  state(id: string): ServerAgentFacts | undefined {
    return this.#shared.state(id);
  }
}

class AgentCheck implements SharedCheck<ServerAgentFacts> {
  readonly #runner: Runner;
  readonly #onResult: (facts: ServerAgentFacts, changed: boolean) => void;
  #facts: ServerAgentFacts;
  #said: string | undefined;

  constructor(
    { address, agent }: ServerAgentTarget,
    before: ServerAgentFacts | undefined,
    options: {
      readonly clock: Clock;
      readonly random: () => number;
      readonly slots: Slots;
      readonly onResult: (facts: ServerAgentFacts, changed: boolean) => void;
    },
  ) {
    this.#facts = before ?? AT_FIRST;
    this.#onResult = options.onResult;
    this.#runner = new Runner({
      probe: dialogueProbe({ host: agent.addr ?? address, port: agent.port }, agentScript(agent.send)),
      interval: (tookMs) => Math.max(0, agent.inter - tookMs),
      timeout: agent.inter,
      firstWithin: Math.min(agent.inter, FIRST_WITHIN_MS),
      clock: options.clock,
      random: options.random,
      slots: options.slots,
      slotFor: SLOT_FOR_MS,
      onResult: (result, durationMs) => this.#take(result, durationMs),
    });
  }

  get facts(): ServerAgentFacts {
    return this.#facts;
  }

  start(): void {
    this.#runner.start();
  }

  checkNow(): void {
    this.#runner.runNow();
  }

  stop(): Promise<void> {
    return this.#runner.stop();
  }

  #take({ status, code, output }: ProbeResult, durationMs: number): void {
    const reply = status === 'passing' ? parseAgentReply(output) : undefined;
    const lastCode = status === 'passing' && !reply ? 'L7RSP' : reply && isBad(reply) ? 'L7STS' : code;
    const heard = { lastCode, durationMs, desc: describeCode(lastCode), info: output };
    this.#facts = { ...this.#facts, ...heard, ...(reply && newsOf(reply, this.#facts, output)) };
    const changed = reply !== undefined && output !== this.#said;
    if (reply) this.#said = output;
    this.#onResult(this.#facts, changed);
  }
}

function isBad({ health }: AgentReply): boolean {
  return health !== undefined && health !== 'up';
}

function newsOf(reply: AgentReply, before: ServerAgentFacts, line: string): Partial<ServerAgentFacts> {
  const { weight = before.weight, maxconn = before.maxconn, mode = before.mode, health } = reply;
  const up = health === undefined ? before.up : health === 'up';
  const why = `agent said "${line.replace(/\p{C}+/gu, ' ').slice(0, 100)}"`;
  return { weight, maxconn, mode, up, why };
}
