import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { VaneError } from '../../src/core/errors.ts';
import { relay } from '../../src/proxy/tcp/relay.ts';
import { eventually } from '../helpers/eventually.ts';
import { settle } from '../helpers/fake-clock.ts';
import { from, HELD_AT_MOST, LARGE, SIDES, sendUntilHeld, setUp } from '../helpers/tcp-relay-rig.ts';
import { Heard, noSocketLeft, sendMuch, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

describe('bytes', () => {
  test('go both ways, the ones read before first', async () => {
    const setup = await setUp(bench, { fromClient: Buffer.from('GET /'), fromServer: Buffer.from('101 ') });
    const atServer = new Heard(setup.server);
    const atClient = new Heard(setup.client);
    setup.client.write('chat');
    setup.server.write('Switching');
    await eventually(() => expect([atServer.text, atClient.text]).toEqual(['GET /chat', '101 Switching']));
    expect(setup.moving).toMatchObject({ bytesToServer: 9, bytesToClient: 13 });
    setup.client.end();
    setup.server.end();
    expect(await setup.moving.ended).toEqual({ error: undefined, bytesToServer: 9, bytesToClient: 13 });
  });

  test('that waited in the sockets, and ends, are not lost', async () => {
    const [toClient, toServer] = await Promise.all([bench.pair(), bench.pair()]);
    toClient.theirs.end('a whole request');
    toServer.theirs.end('a whole answer');
    const atClient = new Heard(toClient.theirs);
    const atServer = new Heard(toServer.theirs);
    for (const socket of [toClient.ours, toServer.ours]) {
      socket.pause();
      await eventually(() => expect(socket.readableLength).toBeGreaterThan(0));
    }
    const moving = relay({ client: toClient.ours, server: toServer.ours, clock: systemClock, idle: 0 });
    expect(await moving.ended).toMatchObject({ error: undefined });
    await eventually(() => expect(atServer).toMatchObject({ text: 'a whole request', ended: true }));
    await eventually(() => expect(atClient).toMatchObject({ text: 'a whole answer', ended: true }));
  });

  test('large transfers in both directions at once arrive as they were sent', async () => {
    const left = await noSocketLeft();
    const { client, server, moving } = await setUp(bench);
    const atServer = new Heard(server);
    const atClient = new Heard(client);
    const digests = await Promise.all([sendMuch(client, LARGE), sendMuch(server, LARGE)]);
    client.end();
    server.end();
    expect(await moving.ended).toEqual({ error: undefined, bytesToServer: LARGE, bytesToClient: LARGE });
    await eventually(() => expect([atServer.ended, atClient.ended]).toEqual([true, true]));
    expect([atServer.digest, atClient.digest]).toEqual(digests);
    await left();
  });

  test.each(SIDES)('from the %s are held back while nobody takes them, and none is lost', async (side) => {
    const setup = await setUp(bench);
    const { sender, taker, nearSender, nearTaker } = from(side, setup);
    taker.pause();
    let held = 0;
    sender.on('drain', () => {
      held = Math.max(held, nearSender.readableLength + nearTaker.writableLength);
    });
    const sending = sendMuch(sender, LARGE);
    await eventually(() => expect(nearSender.isPaused() && sender.writableNeedDrain).toBe(true));
    await settle();
    expect(nearSender.readableLength + nearTaker.writableLength).toBeGreaterThan(0);
    expect(nearSender.readableLength + nearTaker.writableLength).toBeLessThanOrEqual(HELD_AT_MOST);
    const heard = new Heard(taker);
    taker.resume();
    const digest = await sending;
    sender.end();
    await eventually(() => expect(heard).toMatchObject({ bytes: LARGE, ended: true }), 20_000);
    expect(heard.digest).toBe(digest);
    expect(held).toBeLessThanOrEqual(HELD_AT_MOST);
    taker.end();
    expect(await setup.moving.ended).toMatchObject({ error: undefined });
  });

  test('of one direction flow while the other is stuck', async () => {
    const setup = await setUp(bench);
    setup.client.pause();
    void sendMuch(setup.server, LARGE).catch(() => {});
    await eventually(() => expect(setup.nearServer.isPaused()).toBe(true));
    const atServer = new Heard(setup.server);
    setup.client.write('still heard');
    await eventually(() => expect(atServer.text).toBe('still heard'));
    setup.moving.close(new VaneError('STOPPING', 'enough'));
  });
});

describe('the end of one direction', () => {
  test.each(SIDES)('of the %s is passed on, and the other direction goes on', async (side) => {
    const left = await noSocketLeft();
    const setup = await setUp(bench);
    const { sender, taker } = from(side, setup);
    const asked = new Heard(taker);
    const answered = new Heard(sender);
    sender.end('question');
    await eventually(() => expect(asked).toMatchObject({ text: 'question', ended: true }));
    expect(answered.ended).toBe(false);
    const digest = await sendMuch(taker, 5_000_000);
    taker.end();
    expect(await setup.moving.ended).toMatchObject({ error: undefined });
    await eventually(() => expect(answered).toMatchObject({ bytes: 5_000_000, ended: true }));
    expect(answered.digest).toBe(digest);
    await left();
  });

  test.each(SIDES)('of the %s is passed on only behind all its bytes', async (side) => {
    const left = await noSocketLeft();
    const setup = await setUp(bench);
    const { sender, taker, nearSender, nearTaker } = from(side, setup);
    taker.pause();
    const sent = await sendUntilHeld(side, setup);
    sender.resume().end();
    await eventually(() => expect(nearSender.readableEnded).toBe(true));
    // The other direction ends first: what is still held must not be forgotten.
    taker.end();
    await eventually(() => expect(nearTaker.readableEnded).toBe(true));
    await settle();
    const heard = new Heard(taker);
    taker.resume();
    expect(await setup.moving.ended).toMatchObject({ error: undefined });
    await eventually(() => expect(heard).toMatchObject({ bytes: sent.length, ended: true }));
    expect(heard.digest).toBe(createHash('sha256').update(sent).digest('hex'));
    await left();
  });

  test.each(SIDES)('of the %s that was told before the relay began is passed on', async (side) => {
    const pairs = { client: await bench.pair(), server: await bench.pair() };
    const { ours, theirs } = pairs[side];
    theirs.end();
    await eventually(() => expect(ours.readableEnded).toBe(true));
    const other = pairs[side === 'client' ? 'server' : 'client'].theirs;
    const heard = new Heard(other);
    const moving = relay({
      client: pairs.client.ours,
      server: pairs.server.ours,
      clock: systemClock,
      idle: 0,
    });
    await eventually(() => expect(heard.ended).toBe(true));
    other.end();
    expect((await moving.ended).error).toBeUndefined();
  });

  test('of both at once leaves nothing', async () => {
    const left = await noSocketLeft();
    const { client, server, moving } = await setUp(bench);
    client.resume().end();
    server.resume().end();
    expect(await moving.ended).toEqual({ error: undefined, bytesToServer: 0, bytesToClient: 0 });
    await left();
  });
});
