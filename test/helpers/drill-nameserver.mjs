// A nameserver in a process of its own, so that it can be stopped and killed: answers A queries for any name.
// node drill-nameserver.mjs PORT ADDRESS…
import { createSocket } from 'node:dgram';
import { decode, encode } from 'dns-packet';

const AUTHORITATIVE = 0x0400;

const [port, ...addresses] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', (query, from) => {
  const { id, questions } = decode(query);
  const [{ name, type }] = questions;
  const answers = type === 'A' ? addresses.map((data) => ({ type, name, ttl: 0, data })) : [];
  const reply = encode({ type: 'response', id, flags: AUTHORITATIVE, questions, answers });
  socket.send(reply, from.port, from.address);
});
socket.bind(Number(port), '127.0.0.1', () => console.log('nameserver answers'));
