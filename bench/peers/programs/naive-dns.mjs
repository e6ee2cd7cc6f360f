// node naive-dns.mjs PORT ADDRESS…: answers each question with three of the addresses, in random order.
import { createSocket } from 'node:dgram';
import { decode, encode } from 'dns-packet';

const [port, ...addresses] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });

socket.on('message', (message, from) => {
  const { id, questions } = decode(message);
  const [{ name, type }] = questions;
  const chosen = some();
  const target = (address) => `${address.replaceAll('.', '-')}.node.consul`;
  const addressOf = (owner) => (address) => ({
    name: owner ?? target(address),
    type: 'A',
    ttl: 0,
    data: address,
  });
  const srv = (address) => ({
    name,
    type,
    ttl: 0,
    data: { port: 80, weight: 1, priority: 1, target: target(address) },
  });
  const reply = encode({
    type: 'response',
    id,
    flags: 0x0500,
    questions,
    answers: chosen.map(type === 'SRV' ? srv : addressOf(name)),
    additionals: type === 'SRV' ? chosen.map(addressOf()) : [],
  });
  socket.send(reply, from.port, from.address);
});
socket.bind(Number(port), '127.0.0.1');

function some() {
  const rest = addresses.slice();
  return Array.from({ length: 3 }, () => rest.splice(Math.floor(Math.random() * rest.length), 1)[0]);
}
