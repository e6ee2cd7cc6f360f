import { randomBytes } from 'node:crypto';
import type { DialogueCheck, TcpCheckStep } from '../config/runtime/server-checks.ts';
import type { Finding, Reply, Script, Talk } from './dialogue.ts';

/** HAProxy's `option ssl-hello-chk`, `redis-check`, `mysql-check` and `tcp-check`. */
export function dialogueScript(check: DialogueCheck): Script {
  switch (check.kind) {
    case 'ssl-hello':
      return sslHello;
    case 'redis':
      return () => REDIS;
    case 'mysql': {
      const { user } = check;
      return () => mysqlTalk(user);
    }
    case 'tcp': {
      const steps = check.steps.map(compiled);
      return () => tcpTalk(steps);
    }
  }
}

const NOTHING = Buffer.alloc(0);
/** Of what a server says, characters. */
const LONGEST_INFO = 100;

function passed(info = ''): Finding {
  return { good: true, code: 'L7OK', info: plain(info) };
}

/** The server has answered, and says no. */
function refused(info: string): Finding {
  return { good: false, code: 'L7STS', info: plain(info) };
}

function invalid(info: string): Finding {
  return { good: false, code: 'L7RSP', info: plain(info) };
}

function plain(text: string): string {
  return text
    .replace(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, LONGEST_INFO);
}

const REDIS: Talk = {
  opening: Buffer.from('*1\r\n$4\r\nPING\r\n'),
  hear(received) {
    const end = received.indexOf('\r\n');
    if (end < 0) return undefined;
    const line = received.toString('latin1', 0, end);
    return line === '+PONG' ? passed() : refused(line);
  },
};

const TLS_ALERT = 0x15;
const TLS_HANDSHAKE = 0x16;
/** Forward secrecy and none, with certificates of either kind. */
const CIPHER_SUITES = [0xc02f, 0xc02b, 0xc030, 0xc02c, 0x009c, 0x009d, 0x002f, 0x0035, 0x00ff];

/**
 * A ClientHello of TLS 1.2 without extensions (RFC 5246, section 7.4.1.2). As in HAProxy a server that answers with an
 * alert speaks TLS as well as one that goes on.
 */
function sslHello(): Talk {
  const suites = Buffer.alloc(2 + 2 * CIPHER_SUITES.length);
  suites.writeUInt16BE(2 * CIPHER_SUITES.length, 0);
  for (const [i, suite] of CIPHER_SUITES.entries()) suites.writeUInt16BE(suite, 2 + 2 * i);
  // Version, random, no session, suites, the one compression that is none.
  const hello = Buffer.concat([
    Buffer.from([3, 3]),
    randomBytes(32),
    Buffer.from([0]),
    suites,
    Buffer.from([1, 0]),
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0, 0, hello.length]), hello]);
  return {
    opening: Buffer.concat([Buffer.from([TLS_HANDSHAKE, 3, 1, 0, handshake.length]), handshake]),
    hear([type]): Finding | undefined {
      if (type === undefined) return undefined;
      return type === TLS_ALERT || type === TLS_HANDSHAKE
        ? { good: true, code: 'L6OK', info: '' }
        : { good: false, code: 'L6RSP', info: 'Not TLS' };
    },
  };
}

const MYSQL_HEADER_BYTES = 4;
const MYSQL_PROTOCOL = 10;
const MYSQL_OK = 0x00;
const MYSQL_AUTH_SWITCH = 0xfe;
const MYSQL_ERROR = 0xff;
/** CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH. */
const MYSQL_CAPABILITIES = 0x0001 | 0x0200 | 0x8000 | 0x80000;
const MYSQL_CHARSET_UTF8 = 0x21;
const MYSQL_QUIT = mysqlPacket(0, Buffer.from([1]));

/**
 * Reads the greeting and, with a user, logs in without a password and leaves (HAProxy's `post-41`). A server counts
 * connections that end before a login against their host, and shuts it out in the end: hence the user.
 */
function mysqlTalk(user: string | undefined): Talk {
  let version: string | undefined;
  let leaving = false;
  return {
    hear(received, ended): Finding | Reply | undefined {
      if (leaving) return ended ? passed(version) : undefined;
      const size =
        MYSQL_HEADER_BYTES + (received.length < MYSQL_HEADER_BYTES ? 0 : received.readUIntLE(0, 3));
      if (received.length < Math.max(size, MYSQL_HEADER_BYTES + 1)) return undefined;
      const sequence = received.readUInt8(3);
      const payload = received.subarray(MYSQL_HEADER_BYTES, size);
      if (payload[0] === MYSQL_ERROR) return refused(mysqlError(payload));
      if (version === undefined) {
        const end = payload.indexOf(0, 1);
        if (payload[0] !== MYSQL_PROTOCOL || end < 0) return invalid('Not a greeting of MySQL');
        version = payload.toString('latin1', 1, end);
        return user === undefined ? passed(version) : { say: mysqlLogin(user), taken: size };
      }
      // Another way to log in: without a password there is nothing to say in it either.
      if (payload[0] === MYSQL_AUTH_SWITCH) {
        return { say: mysqlPacket(sequence + 1, NOTHING), taken: size };
      }
      if (payload[0] !== MYSQL_OK) return invalid('Neither OK nor an error after the login');
      leaving = true;
      return { say: MYSQL_QUIT, taken: size };
    },
  };
}

function mysqlLogin(user: string): Buffer {
  const fixed = Buffer.alloc(32);
  fixed.writeUInt32LE(MYSQL_CAPABILITIES, 0);
  fixed.writeUInt32LE(0xffffff, 4);
  fixed.writeUInt8(MYSQL_CHARSET_UTF8, 8);
  return mysqlPacket(1, Buffer.concat([fixed, Buffer.from(`${user}\0\0mysql_native_password\0`)]));
}

function mysqlPacket(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(MYSQL_HEADER_BYTES);
  header.writeUIntLE(payload.length, 0, 3);
  header.writeUInt8(sequence & 0xff, 3);
  return Buffer.concat([header, payload]);
}

function mysqlError(payload: Buffer): string {
  const code = payload.length < 3 ? 0 : payload.readUInt16LE(1);
  const text = payload.toString('utf8', payload[3] === 0x23 ? 9 : 3);
  return `${code} ${text}`;
}

interface Expected {
  readonly kind: 'expect';
  readonly negated: boolean;
  readonly holds: (received: Buffer) => boolean;
  readonly step: number;
}

type Step = { readonly kind: 'send'; readonly bytes: Buffer } | Expected;

function compiled(step: TcpCheckStep, i: number): Step {
  if (step.kind === 'send') return { kind: 'send', bytes: Buffer.from(step.bytes, 'latin1') };
  const { negated } = step;
  if (step.by === 'string') {
    const wanted = Buffer.from(step.bytes, 'latin1');
    return { kind: 'expect', negated, holds: (received) => received.includes(wanted), step: i + 1 };
  }
  const pattern = new RegExp(step.pattern);
  return {
    kind: 'expect',
    negated,
    holds: (received) => pattern.test(received.toString('latin1')),
    step: i + 1,
  };
}

/** The steps one after another; what one has expected is done with. */
function tcpTalk(steps: readonly Step[]): Talk {
  let next = 0;
  return {
    hear(received, ended): Finding | Reply | undefined {
      const step = steps[next];
      if (!step) return passed();
      if (step.kind === 'send') {
        next++;
        return { say: step.bytes, taken: 0 };
      }
      const found = step.holds(received);
      // That something is not said is known at the end only, as in HAProxy.
      if (!found && !ended) return undefined;
      if (found === step.negated) {
        const what = found ? 'matched unwanted content' : 'did not match content';
        return invalid(`TCPCHK ${what} at step ${step.step}`);
      }
      next++;
      return { say: NOTHING, taken: received.length };
    },
  };
}
