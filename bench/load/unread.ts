// node unread.ts PORT CLIENTS: so many clients ask for the large body, and once its first bytes have come read no more.
// Says how many got so far, and then stays until it is ended.
import { connect } from 'node:net';

const [port, clients] = process.argv.slice(2).map(Number);

function ask(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: port ?? 0 }, () => {
      socket.write('GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    });
    socket.once('data', (chunk) => {
      socket.pause();
      resolve(chunk.toString('latin1').startsWith('HTTP/1.1 200 '));
    });
    socket.on('error', () => resolve(false)).on('close', () => resolve(false));
  });
}

const answered = await Promise.all(Array.from({ length: clients ?? 0 }, ask));
console.log(answered.filter(Boolean).length);
