import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { udpProbe } from '../../src/health/udp.ts';
import { eventually } from '../helpers/eventually.ts';

let server: Socket;
let port = 0;
/** What has come in. */
let heard: string[] = [];

beforeEach(async () => {
  heard = [];
  server = createSocket('udp4');
  server.on('message', (message) => heard.push(message.toString()));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  port = server.address().port;
});
afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

const patient = () => new AbortController().signal;
const success = () => ({
  status: 'passing',
  output: `UDP connect 127.0.0.1:${port}: Success`,
  code: 'L4OK',
  httpStatus: undefined,
});

describe("Consul's UDP check", () => {
  test('sends an empty datagram, and passes when an answer comes', async () => {
    server.on('message', (_message, { port: from, address }) => server.send('pong', from, address));
    expect(await udpProbe(`127.0.0.1:${port}`).run(patient())).toEqual(success());
    expect(heard).toEqual(['']);
  });

  test('passes when there is no answer until the timeout', async () => {
    const timeout = new AbortController();
    const run = udpProbe(`127.0.0.1:${port}`).run(timeout.signal);
    await eventually(() => expect(heard).toEqual(['']));
    timeout.abort();
    expect(await run).toEqual(success());
  });

  test('hears nobody but whom it asked', async () => {
    const stranger = createSocket('udp4');
    server.once('message', (_message, { port: from, address }) => stranger.send('not me', from, address));
    const timeout = new AbortController();
    let isOver = false;
    const run = udpProbe(`127.0.0.1:${port}`)
      .run(timeout.signal)
      .finally(() => {
        isOver = true;
      });
    await eventually(() => expect(heard).toEqual(['']));
    // On loopback one datagram is there before the next.
    stranger.send('later', port, '127.0.0.1');
    await eventually(() => expect(heard).toEqual(['', 'later']));
    expect(isOver).toBe(false);
    timeout.abort();
    await run;
    await new Promise<void>((resolve) => stranger.close(() => resolve()));
  });

  test('is critical when the port is refused', async () => {
    const closed = createSocket('udp4');
    closed.bind(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = `127.0.0.1:${closed.address().port}`;
    await new Promise<void>((resolve) => closed.close(() => resolve()));
    expect(await udpProbe(address).run(patient())).toEqual({
      status: 'critical',
      output: `udp ${address}: connection refused`,
      code: 'L4CON',
      httpStatus: undefined,
    });
  });

  test.each([
    ['no-such-host.invalid:80', /^dial udp: lookup no-such-host\.invalid: /, 'L4CON'],
    ['127.0.0.1', /^dial udp: address 127\.0\.0\.1: missing port in address$/, 'SOCKERR'],
    ['127.0.0.1:99999', /^dial udp: address 127\.0\.0\.1:99999: invalid port$/, 'SOCKERR'],
    // The system refuses to send to a broadcast address.
    ['127.255.255.255:9', /^udp 127\.255\.255\.255:9: permission denied$/, 'L4CON'],
    ['127.0.0.1:0', /^dial udp: address 127\.0\.0\.1:0: invalid port$/, 'SOCKERR'],
  ])('%s is critical', async (address, output, code) => {
    const result = await udpProbe(address).run(patient());
    expect(result).toMatchObject({ status: 'critical', code, output: expect.stringMatching(output) });
  });

  test('is critical when the name is not looked up in time', async () => {
    expect(await udpProbe(`localhost:${port}`).run(AbortSignal.abort())).toMatchObject({
      status: 'critical',
      output: 'dial udp: lookup localhost: i/o timeout',
      code: 'L4TOUT',
    });
  });
});
