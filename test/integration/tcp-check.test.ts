import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectProbe, TcpProbe } from '../../src/health/tcp.ts';
import { eventually } from '../helpers/eventually.ts';

let server: Server;
let port = 0;
const ends: string[] = [];

beforeEach(async () => {
  ends.length = 0;
  server = createServer((socket) => {
    socket.on('error', (error: NodeJS.ErrnoException) => ends.push(error.code ?? ''));
    socket.on('end', () => ends.push('end'));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const patient = () => new AbortController().signal;
/** Port 1 of loopback: nobody listens there. */
const CLOSED = 1;

describe("Consul's TCP check", () => {
  test('passes when the connection opens, and closes it', async () => {
    expect(await new TcpProbe(`127.0.0.1:${port}`).run(patient())).toEqual({
      status: 'passing',
      output: `TCP connect 127.0.0.1:${port}: Success`,
      code: 'L4OK',
      httpStatus: undefined,
    });
    await eventually(() => expect(ends).toEqual(['end']));
  });

  test.each([
    [`127.0.0.1:${CLOSED}`, `dial tcp 127.0.0.1:${CLOSED}: connect: connection refused`, 'L4CON'],
    ['[::1]:1', /^dial tcp \[::1\]:1: connect: /, 'L4CON'],
    ['no-such-host.invalid:80', /^dial tcp: lookup no-such-host\.invalid: /, 'L4CON'],
    ['127.0.0.1', 'dial tcp: address 127.0.0.1: missing port in address', 'SOCKERR'],
    ['127.0.0.1:99999', 'dial tcp: address 127.0.0.1:99999: invalid port', 'SOCKERR'],
    ['a:b:c', 'dial tcp: address a:b:c: missing port in address', 'SOCKERR'],
  ])('%s is critical', async (address, output, code) => {
    const result = await new TcpProbe(address).run(patient());
    expect(result).toMatchObject({ status: 'critical', code });
    if (typeof output === 'string') expect(result.output).toBe(output);
    else expect(result.output).toMatch(output);
  });

  test('out of time is critical', async () => {
    expect(await new TcpProbe(`127.0.0.1:${port}`).run(AbortSignal.abort())).toMatchObject({
      status: 'critical',
      output: `dial tcp 127.0.0.1:${port}: i/o timeout`,
      code: 'L4TOUT',
    });
  });

  test('is cut off while connecting', async () => {
    const timeout = new AbortController();
    const run = new TcpProbe(`127.0.0.1:${port}`).run(timeout.signal);
    timeout.abort();
    expect(await run).toMatchObject({ code: 'L4TOUT' });
  });
});

describe("HAProxy's plain check", () => {
  test('passes and ends the connection by a reset', async () => {
    const result = await connectProbe({ host: '127.0.0.1', port }).run(patient());
    expect(result).toEqual({ status: 'passing', output: '', code: 'L4OK', httpStatus: undefined });
    await eventually(() => expect(ends).toEqual(['ECONNRESET']));
  });

  test('fails with what the system says', async () => {
    const probe = connectProbe({ host: '127.0.0.1', port: CLOSED });
    expect(await probe.run(patient())).toMatchObject({
      status: 'critical',
      output: 'Connection refused',
      code: 'L4CON',
    });
    expect(await probe.run(AbortSignal.abort())).toMatchObject({ code: 'L4TOUT', output: '' });
  });
});
