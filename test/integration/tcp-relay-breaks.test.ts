import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { relay } from '../../src/proxy/tcp/relay.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { from, LARGE, SIDES, sendUntilHeld, setUp } from '../helpers/tcp-relay-rig.ts';
import { Heard, noSocketLeft, sendMuch, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

describe('a side that breaks', () => {
  test.each([
    ['client', 'CLIENT_ABORTED'],
    ['server', 'UPSTREAM_CLOSED'],
  ] as const)('the %s: the other is reset', async (side, code) => {
    const left = await noSocketLeft();
    const setup = await setUp(bench);
    const { sender, taker } = from(side, setup);
    const heard = new Heard(taker);
    sender.write('half a sent');
    await eventually(() => expect(heard.text).toBe('half a sent'));
    sender.resetAndDestroy();
    expect((await setup.moving.ended).error).toMatchObject({ code });
    await eventually(() => expect(heard).toMatchObject({ error: 'ECONNRESET', ended: false }));
    await left();
  });

  test.each([
    ['client', 'CLIENT_ABORTED'],
    ['server', 'UPSTREAM_CLOSED'],
  ] as const)('the %s after its end: all that it said still arrives', async (side, code) => {
    const left = await noSocketLeft();
    const setup = await setUp(bench);
    const { sender, taker, nearSender } = from(side, setup);
    // More than the system's buffers take, so that part of it waits in the relay.
    taker.pause();
    const sent = await sendUntilHeld(side, setup);
    sender.end();
    await eventually(() => expect(nearSender.readableEnded).toBe(true));
    // It has closed for good: the answer meets a reset.
    sender.destroy();
    await answerUntilBroken(taker, nearSender);
    const heard = new Heard(taker);
    taker.resume();
    await eventually(() => expect(heard.ended).toBe(true), 20_000);
    expect(heard.bytes).toBe(sent.length);
    expect(heard.digest).toBe(createHash('sha256').update(sent).digest('hex'));
    taker.write('and some more that is dropped');
    taker.end();
    expect((await setup.moving.ended).error).toMatchObject({ code });
    expect(heard.error).toBeUndefined();
    await left();
  });

  test('after its end is not waited for longer than five seconds without a move', async () => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const { client, server, nearClient, moving } = await setUp(bench, { clock, idle: 60_000 });
    const heard = new Heard(server);
    client.end('bye');
    await eventually(() => expect(heard.ended).toBe(true));
    client.destroy();
    await answerUntilBroken(server, nearClient);
    await settle();
    clock.advance(4_999);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    expect((await moving.ended).error).toMatchObject({ code: 'CLIENT_ABORTED' });
    expect(clock.pending).toBe(0);
    server.destroy();
    await left();
  });

  test('after its end, with the other in the midst of sending: the rest is dropped, and then it is over', async () => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const { client, server, nearClient, nearServer, moving } = await setUp(bench, { clock, idle: 60_000 });
    const heard = new Heard(server);
    client.pause();
    client.end('a question');
    await eventually(() => expect(heard.ended).toBe(true));
    const sending = sendMuch(server, LARGE);
    await eventually(() => expect(nearServer.isPaused()).toBe(true));
    client.resetAndDestroy();
    await eventually(() => expect(nearClient.destroyed).toBe(true));
    const taken = moving.bytesToClient;
    await sending;
    server.end();
    const end = await moving.ended;
    expect(end.error).toMatchObject({ code: 'CLIENT_ABORTED' });
    // No byte counts as passed on that had nobody to go to.
    expect(end.bytesToClient).toBe(taken);
    expect(heard.error).toBeUndefined();
    expect(clock.pending).toBe(0);
    await left();
  });

  test('before the relay began ends it at once', async () => {
    const left = await noSocketLeft();
    const [toClient, toServer] = await Promise.all([bench.pair(), bench.pair()]);
    const heard = new Heard(toServer.theirs);
    toClient.ours.destroy();
    await once(toClient.ours, 'close');
    const moving = relay({ client: toClient.ours, server: toServer.ours, clock: systemClock, idle: 1_000 });
    expect((await moving.ended).error).toMatchObject({ code: 'CLIENT_ABORTED' });
    await eventually(() => expect(heard.error).toBe('ECONNRESET'));
    toClient.theirs.destroy();
    await left();
  });

  test('because somebody else closed it ends the relay too', async () => {
    const { nearServer, moving, client } = await setUp(bench);
    const heard = new Heard(client);
    nearServer.destroy();
    expect((await moving.ended).error).toMatchObject({ code: 'UPSTREAM_CLOSED' });
    await eventually(() => expect(heard.error).toBe('ECONNRESET'));
  });
});

describe('silence', () => {
  test('of both for too long ends the relay and both sides, without a reset, by the real clock', async () => {
    const left = await noSocketLeft();
    const { client, server, moving } = await setUp(bench, { idle: 50 });
    const heard = [new Heard(client), new Heard(server)];
    expect((await moving.ended).error).toMatchObject({ code: 'CLIENT_TIMEOUT' });
    await eventually(() => expect(heard.map((each) => each.ended)).toEqual([true, true]));
    client.destroy();
    server.destroy();
    await left();
    expect(heard.map((each) => each.error)).toEqual([undefined, undefined]);
  });

  test.each(SIDES)('of a taker that has not taken what the %s said resets it', async (side) => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const setup = await setUp(bench, { clock, idle: 1_000 });
    const { sender, taker } = from(side, setup);
    taker.pause();
    const atSender = new Heard(sender);
    await sendUntilHeld(side, setup);
    clock.advance(1_000);
    expect((await setup.moving.ended).error).toMatchObject({
      message: expect.stringContaining('nothing moved'),
    });
    await eventually(() => expect(atSender).toMatchObject({ ended: true, error: undefined }));
    const heard = new Heard(taker);
    taker.resume();
    await eventually(() => expect(heard).toMatchObject({ error: 'ECONNRESET', ended: false }));
    sender.destroy();
    await left();
  });

  test.each([
    ['server', 'client', 'UPSTREAM_TIMEOUT'],
    ['client', 'server', 'CLIENT_TIMEOUT'],
  ] as const)('is the fault of the %s when the last bytes came from the %s', async (taker, sender, code) => {
    const clock = new FakeClock();
    const setup = await setUp(bench, { clock, idle: 1_000 });
    const heard = new Heard(setup[taker]);
    setup[taker].write('before');
    await eventually(() => expect(setup.moving.bytesToClient + setup.moving.bytesToServer).toBe(6));
    setup[sender].write('last');
    await eventually(() => expect(heard.text).toBe('last'));
    clock.advance(1_000);
    expect((await setup.moving.ended).error).toMatchObject({ code, message: expect.stringContaining(taker) });
    expect(clock.pending).toBe(0);
  });

  test('counts from the last move, in whichever direction, with one timer', async () => {
    const counting = new CountingClock();
    const { client, server, moving } = await setUp(bench, { clock: counting, idle: 1_000 });
    const heard = { server: new Heard(server), client: new Heard(client) };
    for (let i = 1; i <= 10; i++) {
      counting.advance(900);
      client.write('?');
      await eventually(() => expect(heard.server.bytes).toBe(i));
      server.write('!');
      await eventually(() => expect(heard.client.bytes).toBe(i));
    }
    expect(counting.pending).toBe(1);
    // Once at the beginning, and then at most once for every second that passed.
    expect(counting.timers).toBeLessThanOrEqual(10);
    counting.advance(999);
    await settle();
    expect(counting.pending).toBe(1);
    counting.advance(1);
    expect((await moving.ended).error).toMatchObject({ code: 'CLIENT_TIMEOUT' });
  });

  test('of what is left is limited after one direction has ended', async () => {
    const clock = new FakeClock();
    const { client, server, moving } = await setUp(bench, { clock, idle: 1_000 });
    const heard = new Heard(server);
    client.write('question');
    await eventually(() => expect(heard.text).toBe('question'));
    server.write('wait');
    await eventually(() => expect(moving.bytesToClient).toBe(4));
    clock.advance(900);
    client.end();
    await eventually(() => expect(heard.ended).toBe(true));
    clock.advance(999);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    expect((await moving.ended).error).toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  });

  test('may last for ever when there is no limit', async () => {
    const clock = new FakeClock();
    const { client, server, moving } = await setUp(bench, { clock, idle: 0 });
    clock.advance(1e9);
    expect(clock.pending).toBe(0);
    const heard = new Heard(server);
    client.end('at last');
    await eventually(() => expect(heard.text).toBe('at last'));
    server.end();
    expect((await moving.ended).error).toBeUndefined();
  });
});

/** Nothing is read of a side that has ended, so that only writing to it meets its reset. */
function answerUntilBroken(taker: Socket, nearSender: Socket): Promise<void> {
  return eventually(() => {
    taker.write('an answer that nobody wants');
    expect(nearSender.destroyed).toBe(true);
  });
}

/** Counts the timers that were ever started. */
class CountingClock extends FakeClock implements Clock {
  timers = 0;

  override after(ms: number, fn: () => void) {
    this.timers++;
    return super.after(ms, fn);
  }
}
