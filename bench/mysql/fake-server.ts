// node fake-server.ts: a server that speaks MySQL's protocol as far as the monitor and quiet sessions need it. It has no
// threads, and so no limit on them. Prints its port.
import { createServer, type Socket } from 'node:net';

const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const EOF = Buffer.from([0xfe, 0, 0, 2, 0]);
const COM_QUERY = 3;
const CAPABILITIES = 1 | 8 | 0x200 | 0x2000 | 0x8000 | (1 << 19);
const SCRAMBLE = 'a'.repeat(8);

let sessions = 0;

const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.write(packet(0, greeting(++sessions)));
  let isIn = false;
  socket.on('data', (bytes: Buffer) => {
    if (isIn) answer(socket, bytes);
    else socket.write(packet((bytes[3] ?? 0) + 1, OK));
    isIn = true;
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 }, () => {
  const address = server.address();
  console.log(typeof address === 'object' && address !== null ? address.port : 0);
});

function answer(socket: Socket, bytes: Buffer): void {
  const sql = bytes[4] === COM_QUERY ? bytes.toString('latin1', 5) : '';
  if (sql.includes('@@version')) socket.write(result(['version'], ['10.11.0-MariaDB']));
  else if (sql.includes('read_only')) socket.write(result(['ro', 'bs', 'sp'], ['0', '', '']));
  else socket.write(packet(1, OK));
}

function greeting(threadId: number): Buffer {
  const rest = Buffer.alloc(19);
  rest.writeUInt16LE(CAPABILITIES & 0xffff, 0);
  rest.writeUInt8(0x21, 2);
  rest.writeUInt16LE(2, 3);
  rest.writeUInt16LE(CAPABILITIES >>> 16, 5);
  rest.writeUInt8(21, 7);
  const id = Buffer.alloc(4);
  id.writeUInt32LE(threadId);
  return Buffer.concat([
    Buffer.from(`\n10.11.0-MariaDB\0`),
    id,
    Buffer.from(`${SCRAMBLE}\0`),
    rest.subarray(0, 18),
    Buffer.from(`${'b'.repeat(12)}\0mysql_native_password\0`),
  ]);
}

/** One row of texts. */
function result(names: readonly string[], values: readonly string[]): Buffer {
  const payloads = [
    Buffer.from([names.length]),
    ...names.map(column),
    EOF,
    Buffer.concat(values.map(text)),
    EOF,
  ];
  return Buffer.concat(payloads.map((payload, i) => packet(i + 1, payload)));
}

function column(name: string): Buffer {
  const fixed = Buffer.from([0x0c, 0x21, 0, 0xff, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0]);
  return Buffer.concat([text('def'), text(''), text(''), text(''), text(name), text(name), fixed]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}

function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header.writeUInt8(sequence, 3);
  return Buffer.concat([header, payload]);
}
