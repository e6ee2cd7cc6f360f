import { describe, expect, test } from 'vitest';
import { packet } from '../../../src/mysql/protocol/packets.ts';
import { SessionFollower } from '../../../src/mysql/protocol/session-phase.ts';

const DEPRECATE_EOF = 1 << 24;

/** An OK packet with a status. */
function ok(status = 2, first = 0x00): Buffer {
  return packet(1, Buffer.from([first, 0, 0, status & 0xff, status >> 8, 0, 0]));
}

function eof(status = 2): Buffer {
  return packet(1, Buffer.from([0xfe, 0, 0, status & 0xff, status >> 8]));
}

function error(code = 1064): Buffer {
  return packet(1, Buffer.concat([Buffer.from([0xff, code & 0xff, code >> 8]), Buffer.from('#42000no')]));
}

const text = (words: string) => packet(1, Buffer.from(words));
const COLUMN = text('\x03def');
const ROW = text('\x01a');

function command(code: number, words = ''): Buffer {
  return packet(0, Buffer.concat([Buffer.from([code]), Buffer.from(words)]));
}

const QUERY = command(3, 'SELECT 1');

/** A session that has logged in. */
function session(capabilities = 0): SessionFollower {
  const follower = new SessionFollower(capabilities, false);
  follower.fromClient(packet(1, Buffer.alloc(40)));
  expect(follower.phase).toBe('login');
  follower.fromServer(ok());
  expect(follower.phase).toBe('idle');
  return follower;
}

/** Feeds packets and tells the phase after each. */
function phases(follower: SessionFollower, packets: readonly ['c' | 's', Buffer][]): readonly string[] {
  return packets.map(([side, bytes]) => {
    if (side === 'c') follower.fromClient(bytes);
    else follower.fromServer(bytes);
    return follower.phase;
  });
}

describe('a session', () => {
  test('is busy from a command to its answer', () => {
    expect(
      phases(session(), [
        ['c', QUERY],
        ['s', ok()],
        ['c', QUERY],
        ['s', error()],
      ]),
    ).toEqual(['busy', 'idle', 'busy', 'idle']);
  });

  test('is in a transaction until it says otherwise', () => {
    const begun = phases(session(), [
      ['c', QUERY],
      ['s', ok(3)],
      ['c', QUERY],
      ['s', error()],
      ['c', QUERY],
      ['s', ok(2)],
    ]);
    expect(begun).toEqual(['busy', 'transaction', 'busy', 'transaction', 'busy', 'idle']);
  });

  test('is busy until the second EOF of a result', () => {
    const all: ['s', Buffer][] = [COLUMN, COLUMN, eof(), ROW, ROW, eof(3)].map((bytes) => ['s', bytes]);
    expect(phases(session(), [['c', QUERY], ['s', packet(1, Buffer.from([2]))], ...all]).slice(1)).toEqual([
      ...Array(6).fill('busy'),
      'transaction',
    ]);
  });

  test('is busy until the only end of a result where EOF is deprecated', () => {
    const all: ['s', Buffer][] = [packet(1, Buffer.from([1])), COLUMN, ROW, ok(2, 0xfe)].map((bytes) => [
      's',
      bytes,
    ]);
    expect(phases(session(DEPRECATE_EOF), [['c', QUERY], ...all])).toEqual([
      'busy',
      'busy',
      'busy',
      'busy',
      'idle',
    ]);
  });

  test('takes no row for the end: of binary rows, which begin as OK does', () => {
    const all: ['s', Buffer][] = [
      packet(1, Buffer.from([1])),
      COLUMN,
      eof(),
      packet(1, Buffer.from([0, 0, 1])),
      eof(),
    ].map((bytes) => ['s', bytes]);
    expect(phases(session(), [['c', command(0x17)], ...all])).toEqual([...Array(5).fill('busy'), 'idle']);
  });

  test('is busy until the last of several results', () => {
    expect(
      phases(session(), [
        ['c', QUERY],
        ['s', ok(2 | 8)],
        ['s', ok(2 | 8)],
        ['s', ok(2)],
      ]),
    ).toEqual(['busy', 'busy', 'busy', 'idle']);
  });

  test('counts what a prepare announces', () => {
    const prepared = packet(1, Buffer.from([0, 1, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0]));
    const all: ['s', Buffer][] = [prepared, COLUMN, COLUMN, eof(), COLUMN, eof()].map((bytes) => [
      's',
      bytes,
    ]);
    expect(phases(session(), [['c', command(0x16, 'x')], ...all])).toEqual([
      ...Array(6).fill('busy'),
      'idle',
    ]);
    expect(phases(session(DEPRECATE_EOF), [['c', command(0x16)], ...all.slice(0, 4)])).toEqual([
      ...Array(4).fill('busy'),
      'idle',
    ]);
  });

  test('has as many answers to come as commands were sent ahead', () => {
    expect(
      phases(session(), [
        ['c', QUERY],
        ['c', QUERY],
        ['s', ok()],
        ['s', ok()],
      ]),
    ).toEqual(['busy', 'busy', 'busy', 'idle']);
  });

  test('is busy with what was sent before it was let in', () => {
    const follower = new SessionFollower(0, false);
    const all = phases(follower, [
      ['c', QUERY],
      ['s', ok()],
      ['s', ok()],
    ]);
    expect(all).toEqual(['login', 'busy', 'idle']);
  });

  test('waits for no answer where there is none', () => {
    expect(
      phases(session(), [
        ['c', command(0x18)],
        ['c', command(0x19)],
      ]),
    ).toEqual(['idle', 'idle']);
  });

  test('is busy while a file is sent', () => {
    const infile = packet(1, Buffer.from([0xfb, 0x2f]));
    const all = phases(session(), [
      ['c', QUERY],
      ['s', infile],
      ['c', packet(2, Buffer.from('row'))],
      ['c', packet(3, Buffer.alloc(0))],
      ['s', ok()],
    ]);
    expect(all).toEqual(['busy', 'busy', 'busy', 'busy', 'idle']);
  });

  test('takes news of how far a command is for no answer', () => {
    expect(
      phases(session(), [
        ['c', QUERY],
        ['s', error(0xffff)],
        ['s', ok()],
      ]),
    ).toEqual(['busy', 'busy', 'idle']);
  });

  test('is busy in the middle of a packet, and for as long as a binary log is read', () => {
    const follower = session();
    follower.fromClient(QUERY.subarray(0, 6));
    expect(follower.phase).toBe('busy');
    expect(
      phases(session(), [
        ['c', command(0x12)],
        ['s', ok()],
        ['s', eof()],
      ]),
    ).toEqual(['busy', 'busy', 'busy']);
  });

  test('logs in again when its user changes', () => {
    const all = phases(session(), [
      ['c', command(0x11)],
      ['s', packet(1, Buffer.from([0xfe, 0x61]))],
      ['c', packet(2, Buffer.from('x'))],
      ['s', ok()],
      ['c', QUERY],
      ['s', ok()],
    ]);
    expect(all).toEqual(['busy', 'login', 'login', 'idle', 'busy', 'idle']);
  });

  test('says goodbye', () => {
    expect(phases(session(), [['c', command(1)]])).toEqual(['quit']);
  });

  test('that was told unasked that it ends is known to have been', () => {
    const follower = session();
    expect(follower.hasFarewell).toBe(false);
    follower.fromServer(error(1927));
    expect([follower.phase, follower.hasFarewell]).toEqual(['idle', true]);
  });

  test('that is encrypted or compressed, or leaves out what columns are, cannot be followed', () => {
    expect(new SessionFollower(0, true).phase).toBe('opaque');
    expect(new SessionFollower(1 << 25, false).phase).toBe('opaque');
    const compressed = new SessionFollower(0x20, false);
    expect(compressed.phase).toBe('login');
    compressed.fromServer(ok());
    expect(compressed.phase).toBe('opaque');
  });

  test('that has not been let in is logging in', () => {
    expect(
      phases(new SessionFollower(0, false), [
        ['s', packet(2, Buffer.from([0xfe]))],
        ['s', error(1045)],
      ]),
    ).toEqual(['login', 'login']);
  });
});
