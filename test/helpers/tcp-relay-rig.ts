import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Relay, type RelayOptions, relay } from '../../src/proxy/tcp/relay.ts';
import { eventually } from './eventually.ts';
import type { TcpBench } from './tcp-sockets.ts';

/** A relay between two real connections. */
export interface Setup {
  /** The far ends: what a client and a server see. */
  readonly client: Socket;
  readonly server: Socket;
  /** The near ends, which the relay owns. */
  readonly nearClient: Socket;
  readonly nearServer: Socket;
  readonly moving: Relay;
}

export async function setUp(bench: TcpBench, options: Partial<RelayOptions> = {}): Promise<Setup> {
  const [toClient, toServer] = await Promise.all([bench.pair(), bench.pair()]);
  const moving = relay({
    client: toClient.ours,
    server: toServer.ours,
    clock: systemClock,
    idle: 0,
    ...options,
  });
  return {
    client: toClient.theirs,
    server: toServer.theirs,
    nearClient: toClient.ours,
    nearServer: toServer.ours,
    moving,
  };
}

/** The setup seen from either side, so that what holds for one direction is proven for the other. */
export const SIDES = ['client', 'server'] as const;
export type Side = (typeof SIDES)[number];

export function from(side: Side, setup: Setup) {
  const { client, server, nearClient, nearServer } = setup;
  return side === 'client'
    ? { sender: client, taker: server, nearSender: nearClient, nearTaker: nearServer }
    : { sender: server, taker: client, nearSender: nearServer, nearTaker: nearClient };
}

/** More than the system's buffers take. */
export const LARGE = 64 * 1_048_576;
/** What Node may hold of one direction: a full buffer of the one socket and of the other, each a read too full. */
export const HELD_AT_MOST = 4 * 65_536;

/** Sends little by little until the relay cannot pass everything on: the last bytes wait there. Returns all of them. */
export async function sendUntilHeld(side: Side, setup: Setup): Promise<Buffer> {
  const { sender, nearTaker } = from(side, setup);
  const sent: Buffer[] = [];
  for (let bytes = 0; nearTaker.writableLength === 0; ) {
    // Less than a full buffer, so that the sender is not held back and its end is seen.
    const chunk = randomBytes(60_000);
    sent.push(chunk);
    bytes += chunk.length;
    sender.write(chunk);
    await eventually(() => expect(setup.moving.bytesToServer + setup.moving.bytesToClient).toBe(bytes));
  }
  return Buffer.concat(sent);
}
