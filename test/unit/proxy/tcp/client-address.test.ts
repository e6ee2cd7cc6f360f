import { expect, test } from 'vitest';
import { clientAddress } from '../../../../src/proxy/tcp/client-address.ts';

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['::1', '::1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::ffff:a00:1', '::ffff:a00:1'],
  ['::ffff:0:0', '::ffff:0:0'],
])('a client at %s is %s', (address, shown) => {
  const socket = { remoteAddress: address, remotePort: 1, localAddress: address, localPort: 2 };
  expect(clientAddress(socket)).toEqual({ address: shown, port: 1, localAddress: shown, localPort: 2 });
});

test('a client that has gone has no address', () => {
  const gone = { remoteAddress: undefined, remotePort: undefined };
  expect(clientAddress(gone)).toEqual({ address: '', port: 0, localAddress: '', localPort: 0 });
});
