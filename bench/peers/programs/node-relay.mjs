// node node-relay.mjs PORT SERVER: every connection gets one of its own to the server, and bytes move between the two.
import { connect, createServer } from 'node:net';

const [port, server] = process.argv.slice(2);
const [host, serverPort] = server.split(':');

createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const upstream = connect({ host, port: Number(serverPort), noDelay: true, allowHalfOpen: true });
  join(client, upstream);
  join(upstream, client);
}).listen(Number(port), '127.0.0.1', 4096);

function join(from, to) {
  from.on('data', (chunk) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}
