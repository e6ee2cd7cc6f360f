// node targets.ts PORT ADDRESS…: accepts connections and answers 200 to whatever is asked; says so when it listens.
import { once } from 'node:events';
import { createServer } from 'node:net';

const ANSWER =
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
const [port, ...addresses] = process.argv.slice(2);

for (const address of addresses) {
  const server = createServer((socket) => {
    socket.on('data', () => socket.end(ANSWER));
    socket.on('error', () => socket.destroy());
  });
  server.listen({ host: address, port: Number(port), backlog: 1024 });
  await once(server, 'listening');
}
process.stdout.write('ready\n');
