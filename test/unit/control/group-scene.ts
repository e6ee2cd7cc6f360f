import { expect, onTestFinished } from 'vitest';
import type { ServerSet } from '../../../src/balance/server.ts';
import type { BindAddress } from '../../../src/config/runtime/binds.ts';
import { PlaneGroup } from '../../../src/control/plane-group.ts';
import { VaneError } from '../../../src/core/errors.ts';
import type { BoundSocket } from '../../../src/proxy/plane/bound-socket.ts';
import type { FromPlane, ToPlane } from '../../../src/proxy/plane/messages.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { backendConfig, frontendConfig, serverSnapshot } from '../proxy/fixtures.ts';
import { ScriptedWorker } from './scripted-worker.ts';

type Config = Extract<ToPlane, { type: 'config' }>;

class Socket implements BoundSocket {
  readonly handle = {};
  readonly port: number;
  open = true;

  constructor(port: number) {
    this.port = port;
  }

  close(): void {
    this.open = false;
  }
}

/**
 * A group of scripted workers on a clock that stands still. When the test has finished, nothing may be left.
 * @param prepare is given each worker before it is used
 */
export async function setUp(size = 2, prepare = (_worker: ScriptedWorker, _i: number) => {}) {
  const clock = new FakeClock();
  const { log, lines } = recordedLog();
  const workers: ScriptedWorker[] = [];
  const sockets: Socket[] = [];
  const taken = new Set<number>();
  const said: FromPlane[] = [];
  const group = new PlaneGroup({
    size,
    spawn: () => {
      const worker = new ScriptedWorker();
      workers.push(worker);
      prepare(worker, workers.length - 1);
      return worker;
    },
    bind: async ({ port }: BindAddress) => {
      if (taken.has(port)) throw new VaneError('BIND_FAILED', 'bind EADDRINUSE: address already in use');
      const socket = new Socket(port);
      sockets.push(socket);
      return socket;
    },
    settings: { log: { level: 'info', format: 'json' }, hardStopAfter: 5_000 },
    clock,
    log,
  });
  group.channel.onMessage((message) => said.push(message));
  await group.start();
  onTestFinished(async () => {
    await group.stop();
    expect(clock.pending, 'timers left').toBe(0);
    expect(sockets.filter(({ open }) => open)).toEqual([]);
  });
  const tell = async (message: ToPlane) => {
    group.channel.post(message);
    await settle();
  };
  const heard = <T extends FromPlane['type']>(type: T) =>
    said.filter((message): message is Extract<FromPlane, { type: T }> => message.type === type);
  const counters = async (id = 77) => {
    await tell({ type: 'collect', id });
    const answer = heard('counters').findLast((message) => message.id === id);
    if (!answer) throw new Error('no counters');
    return answer.counters;
  };
  const at = (i: number): ScriptedWorker => {
    const worker = workers[i];
    if (!worker) throw new Error(`no worker ${i}`);
    return worker;
  };
  return { clock, lines, group, workers, sockets, taken, said, tell, heard, counters, at };
}

export function config(changes: Partial<Config> = {}): Config {
  return {
    type: 'config',
    generation: 1,
    maxconn: 1_000,
    closeSpread: 20,
    frontends: [frontendConfig({ bind: [{ host: '127.0.0.1', port: 80 }] })],
    backends: [backendConfig()],
    sets: [set(1, 'open')],
    ...changes,
  };
}

export const server = serverSnapshot('a');

export function set(revision: number, admission: 'open' | 'draining' | 'none'): ServerSet {
  const servers = admission === 'none' ? [] : [{ ...server, admission }];
  return { backend: 'web', revision, servers };
}

/** What a worker says of the draining server. */
export function idleSaid(revision: number): FromPlane {
  return {
    type: 'idle',
    backend: 'web',
    server: server.id,
    revision,
  };
}
