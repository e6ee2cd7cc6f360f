// npm start: Vane and three instances of a service in one terminal; Ctrl-C ends them all.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from '../../.ci/ensure.mjs';

/** The doors of vane.yaml, which reads the same variables. */
const DOORS = {
  VANE_FRONTEND: { what: 'the frontend', address: '127.0.0.1:8080' },
  VANE_STATS: { what: 'statistics', address: '127.0.0.1:8404' },
  VANE_REGISTRY_HTTP: { what: 'the Consul HTTP API', address: '127.0.0.1:8500' },
  VANE_REGISTRY_DNS: { what: 'the Consul DNS', address: '127.0.0.1:8600', udp: true },
};
for (const [variable, door] of Object.entries(DOORS)) door.address = process.env[variable] || door.address;

const WEBS = ['web-1', 'web-2', 'web-3'];
/** Longer than `hard-stop-after` in vane.yaml and the slowest request of web.mjs. */
const STOP_MS = 15_000;
const READY_MS = 30_000;
/** A terminal and npm may both pass on one Ctrl-C; one that comes later than this is a second one. */
const SAME_INTERRUPT_MS = 500;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const children = new Set();
let stoppingSince;

const node = ensureInstalled();
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(signal, onSignal);
if (process.env.npm_lifecycle_event) stopWithoutParent();
await checkDoors();

const vane = start(path('../../src/bin/vane.mjs'), ['run', '-f', path('vane.yaml')]);
vane.once('exit', (code, signal) => {
  if (stoppingSince !== undefined) return;
  console.error(`Vane has stopped (${signal ?? code}).`);
  stop(code ?? 128 + constants.signals[signal]);
});
await until(() => isOk(`http://${DOORS.VANE_STATS.address}/readyz`), 'Vane to be ready');

for (const name of WEBS) {
  const web = start(path('web.mjs'), [name]);
  web.once('exit', (code, signal) => {
    if (stoppingSince === undefined) console.log(`${name} has stopped (${signal ?? code}).`);
  });
}
const passing = `http://${DOORS.VANE_REGISTRY_HTTP.address}/v1/health/service/web?passing`;
await until(
  async () => (await (await fetch(passing)).json()).length >= WEBS.length,
  'the instances to be healthy',
);
await until(() => isOk(`http://${DOORS.VANE_FRONTEND.address}/`), 'an answer through the frontend');
sayWhatToTry();

/**
 * Starts a script as a child that has its own process group, so that Ctrl-C reaches this process alone, which then
 * stops them in order. The channel tells the child when this process is gone, however it ended.
 */
function start(script, args) {
  const child = spawn(node, [script, ...args], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.once('error', (error) => {
    console.error(`Cannot start ${script}: ${error.message}`);
    stop(1);
  });
  return child;
}

function onSignal(signal) {
  if (stoppingSince === undefined) {
    console.log('Stopping.');
    stop(0);
  } else if (signal === 'SIGINT' && performance.now() - stoppingSince > SAME_INTERRUPT_MS) {
    for (const child of children) child.kill('SIGKILL');
    process.exit(130);
  }
}

/** Stops the instances, then Vane, then this process with `code`. What overstays is killed. */
async function stop(code) {
  if (stoppingSince !== undefined) return;
  stoppingSince = performance.now();
  await Promise.all([...children].filter((child) => child !== vane).map(end));
  if (children.has(vane)) await end(vane);
  process.exit(code);
}

async function end(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}

/** npm that is killed tells nobody: this process then has another parent. */
function stopWithoutParent() {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop(1), 500).unref();
}

/** Says which of the addresses are taken, and how to choose others, before anything is started. */
async function checkDoors() {
  const taken = [];
  for (const [variable, { what, address, udp }] of Object.entries(DOORS)) {
    const at = address.lastIndexOf(':');
    const options = { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    const problem = (await tryTcp(options)) ?? (udp && (await tryUdp(options)));
    if (problem)
      taken.push(`  ${address}, for ${what}: ${problem}. Another one: ${variable}=HOST:PORT npm start`);
  }
  if (taken.length === 0) return;
  console.error(`Cannot listen on\n${taken.join('\n')}`);
  process.exit(1);
}

/** Why a TCP port cannot be listened on; undefined if it can. */
function tryTcp(options) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(reason(error)));
    server.listen(options, () => server.close(() => resolve(undefined)));
  });
}

function tryUdp({ host, port }) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', (error) => socket.close(() => resolve(reason(error))));
    socket.bind(port, host, () => socket.close(() => resolve(undefined)));
  });
}

function reason(error) {
  return error.code === 'EADDRINUSE' ? 'taken by another program' : error.message;
}

/** Polls until `condition` is true; gives up, and stops everything, after a while. Never returns once that began. */
async function until(condition, what) {
  const deadline = performance.now() + READY_MS;
  while (stoppingSince === undefined) {
    // What is not listening yet refuses: that is the condition not being true yet.
    if (await condition().catch(() => false)) return;
    if (performance.now() > deadline) {
      console.error(`Waited ${READY_MS / 1000} seconds in vain for ${what}.`);
      await stop(1);
    }
    await sleep(100);
  }
  await new Promise(() => {}); // stop() ends the process
}

async function isOk(url) {
  return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
}

function sayWhatToTry() {
  const [frontend, stats, http, dns] = Object.values(DOORS).map(({ address }) => address);
  const [dnsHost, dnsPort] = [dns.slice(0, dns.lastIndexOf(':')), dns.slice(dns.lastIndexOf(':') + 1)];
  const pid = [...children].find((child) => child !== vane)?.pid ?? 'PID';
  console.log(`
Ready: Vane is process ${vane.pid}. In another terminal:
  curl http://${frontend}/                                  each time another instance answers
  dig @${dnsHost} -p ${dnsPort} web.service.consul SRV            where they are
  kill -9 ${pid}                                              one crashes: requests go on to the others
  curl http://${frontend}/slow & kill ${pid}                     one leaves: it finishes what it is doing
  curl http://${http}/v1/health/service/web?passing     who is healthy, as Consul tells it
  curl http://${stats}/metrics                             metrics for Prometheus
  node haproxy-examples/quickstart/web.mjs                     one more instance
Ctrl-C here stops everything.
`);
}
