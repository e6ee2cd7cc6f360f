import { afterEach, describe, expect, test } from 'vitest';
import { VaneError } from '../../src/core/errors.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { from, SIDES, sendUntilHeld, setUp } from '../helpers/tcp-relay-rig.ts';
import { Heard, noSocketLeft, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

const reason = new VaneError('SERVER_REMOVED', 'gone');
const GOING_AWAY = '\x88\x02\x03\xe9';
/** A text frame of five bytes, and what a client would make of it. */
const HELLO = '\x81\x05hello';
/** Longer than a relay waits for its sides to end. */
const LONG_MS = 10_000;

describe('a relay that is closed', () => {
  test('passes on what was read, and ends both sides without a reset', async () => {
    const left = await noSocketLeft();
    const { client, server, moving } = await setUp(bench);
    const heard = [new Heard(client), new Heard(server)];
    client.write('question');
    server.write('half an answer');
    await eventually(() => expect(heard.map(({ text }) => text)).toEqual(['half an answer', 'question']));
    moving.close(reason);
    moving.close(new VaneError('STOPPING', 'late'));
    await eventually(() => expect(heard.every(({ ended }) => ended)).toBe(true));
    // Said before the other side knew.
    server.end('more of it');
    client.end();
    expect(await moving.ended).toMatchObject({ error: reason, bytesToServer: 8, bytesToClient: 14 });
    expect(heard.map(({ error }) => error)).toEqual([undefined, undefined]);
    await left();
  });

  test.each(SIDES)('leaves the other side its time when the %s breaks', async (side) => {
    const left = await noSocketLeft();
    const setup = await setUp(bench);
    const { sender, taker, nearSender } = from(side, setup);
    const heard = [new Heard(sender), new Heard(taker)];
    setup.moving.close(reason);
    await eventually(() => expect(heard.every(({ ended }) => ended)).toBe(true));
    sender.resetAndDestroy();
    await eventually(() => expect(nearSender.closed).toBe(true));
    taker.end('its last words');
    expect((await setup.moving.ended).error).toBe(reason);
    await eventually(() => expect(taker.closed).toBe(true));
    expect(heard[1]?.error).toBeUndefined();
    await left();
  });

  test('does not wait for sides that do not end', async () => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const { client, server, moving } = await setUp(bench, { clock, idle: 60_000 });
    const heard = [new Heard(client), new Heard(server)];
    moving.close(reason);
    await eventually(() => expect(heard.every(({ ended }) => ended)).toBe(true));
    clock.advance(LONG_MS);
    expect(await moving.ended).toMatchObject({ error: reason });
    expect(clock.pending).toBe(0);
    client.destroy();
    server.destroy();
    await left();
  });

  test.each(SIDES)('while the end of the %s is being passed on leaks nothing', async (side) => {
    const left = await noSocketLeft();
    const setup = await setUp(bench);
    const { sender, taker, nearSender } = from(side, setup);
    const heard = new Heard(taker);
    // The relay has heard of the end just before: the shutdown of the other socket is under way.
    nearSender.on('end', () => setup.moving.close(reason));
    sender.end('all of it');
    expect((await setup.moving.ended).error).toBe(reason);
    await eventually(() => expect(heard).toMatchObject({ text: 'all of it', ended: true }));
    sender.destroy();
    taker.destroy();
    await left();
  });

  test.each(SIDES)('while bytes of the %s wait is not taken for their end', async (side) => {
    const left = await noSocketLeft();
    const setup = await setUp(bench);
    const { sender, taker, nearSender } = from(side, setup);
    taker.pause();
    await sendUntilHeld(side, setup);
    sender.end();
    await eventually(() => expect(nearSender.readableEnded).toBe(true));
    setup.moving.close(reason);
    await setup.moving.ended;
    const heard = new Heard(taker);
    taker.resume();
    await eventually(() => expect(heard).toMatchObject({ error: 'ECONNRESET', ended: false }));
    sender.destroy();
    await left();
  });

  test.each(SIDES)('cuts a taker that does not take what the %s has said', async (side) => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const setup = await setUp(bench, { clock });
    const { sender, taker } = from(side, setup);
    taker.pause();
    await sendUntilHeld(side, setup);
    setup.moving.close(reason);
    clock.advance(LONG_MS);
    await setup.moving.ended;
    const heard = new Heard(taker);
    taker.resume();
    await eventually(() => expect(heard).toMatchObject({ error: 'ECONNRESET', ended: false }));
    sender.destroy();
    await left();
  });
});

describe('a WebSocket that is closed', () => {
  test('tells both sides that it goes away, masked toward the server', async () => {
    const left = await noSocketLeft();
    const { client, server, moving } = await setUp(bench, {
      webSocket: true,
      fromServer: Buffer.from(HELLO, 'latin1'),
    });
    const [atClient, atServer] = [new Heard(client), new Heard(server)];
    await eventually(() => expect(atClient.text).toBe(HELLO));
    moving.close(reason);
    await eventually(() => expect(atClient).toMatchObject({ text: HELLO + GOING_AWAY, ended: true }));
    await eventually(() => expect(atServer).toMatchObject({ bytes: 8, ended: true }));
    expect(atServer.text.slice(0, 2)).toBe('\x88\x82');
    client.end(GOING_AWAY);
    server.end(GOING_AWAY);
    expect((await moving.ended).error).toBe(reason);
    expect([atClient.error, atServer.error]).toEqual([undefined, undefined]);
    await left();
  });

  test('does so behind the frame that is under way, and says nothing more', async () => {
    const { client, server, moving } = await setUp(bench, { webSocket: true });
    const heard = new Heard(client);
    server.write(HELLO.slice(0, 4), 'latin1');
    await eventually(() => expect(heard.bytes).toBe(4));
    moving.close(reason);
    server.write(HELLO.slice(4) + HELLO, 'latin1');
    await eventually(() => expect(heard).toMatchObject({ text: HELLO + GOING_AWAY, ended: true }));
    client.end();
    server.end();
    await moving.ended;
  });

  test('cuts off a frame that does not come to its end', async () => {
    const clock = new FakeClock();
    const { client, server, moving } = await setUp(bench, { clock, webSocket: true });
    const [atClient, atServer] = [new Heard(client), new Heard(server)];
    server.write(HELLO.slice(0, 4), 'latin1');
    await eventually(() => expect(atClient.bytes).toBe(4));
    moving.close(reason);
    await eventually(() => expect(atServer.ended).toBe(true));
    clock.advance(LONG_MS);
    await eventually(() => expect(atClient).toMatchObject({ error: 'ECONNRESET', bytes: 4 }));
  });

  test('sends no second close frame', async () => {
    const { client, server, moving } = await setUp(bench, { webSocket: true });
    const heard = new Heard(client);
    const bye = '\x88\x02\x03\xe8';
    server.write(bye, 'latin1');
    await eventually(() => expect(heard.bytes).toBe(4));
    moving.close(reason);
    await eventually(() => expect(heard).toMatchObject({ text: bye, ended: true }));
    client.end();
    server.end();
    await moving.ended;
  });
});
