// node targets.ts COUNT: listens on as many addresses, and answers 200 to whatever is asked. Says which port that is when
// it does; ends with its standard input.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { addressOf } from './site.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

function serve(socket: Socket): void {
  socket.on('data', () => socket.end(ANSWER));
  socket.on('error', () => socket.destroy());
}

let port = 0;
for (let i = 0; i < Number(process.argv[2]); i++) {
  const server = createServer(serve);
  server.listen({ host: addressOf(i), port, backlog: 16 });
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
}
process.stdin.resume().on('end', () => process.exit(0));
process.stdout.write(`${port}\n`);
