import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StickTableConfig } from '../../../../src/config/runtime/stickiness.ts';
import { parseStickTable } from '../../../../src/config/stick-lines.ts';
import { answerKey, stickKey } from '../../../../src/proxy/stick/stick-key.ts';
import { StickTable } from '../../../../src/proxy/stick/stick-table.ts';
import { requestHead } from '../fixtures.ts';

function config(text: string): StickTableConfig {
  const table = parseStickTable(text);
  if (!table.ok) throw new Error(table.message);
  return table.value;
}

describe('a table', () => {
  test('forgets whom it has not seen for its time', () => {
    const table = new StickTable(config('type ip size 10 expire 10s'));
    table.put('a', 's1', 0, 0);
    expect(table.find('a', 9_999)).toBe('s1');
    expect(table.find('a', 19_998)).toBe('s1');
    expect(table.find('a', 29_998)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  test('lets go of the entry that was not used for longest, or takes nothing new', () => {
    const purging = new StickTable(config('type ip size 2'));
    for (const key of ['a', 'b']) purging.put(key, 's1', 0, 0);
    purging.find('a', 1);
    purging.put('c', 's2', 2, 2);
    expect([purging.find('a', 3), purging.find('b', 3), purging.find('c', 3)]).toEqual([
      's1',
      undefined,
      's2',
    ]);
    const full = new StickTable(config('type ip size 2 nopurge'));
    for (const key of ['a', 'b', 'c']) full.put(key, 's1', 0, 0);
    expect([full.find('a', 1), full.find('c', 1), full.evicted]).toEqual(['s1', undefined, 1]);
  });

  test('has others told of what is new or changed at once, and of what is used now and then', () => {
    const table = new StickTable(config('type ip size 2 expire 40s'));
    const told = (server: string, at: number) => table.put('a', server, at, 100 + at)?.since;
    expect(told('s1', 0)).toBe(100);
    expect(told('s1', 5_000)).toBeUndefined();
    expect(told('s2', 6_000)).toBe(6_100);
    expect(told('s2', 15_000)).toBeUndefined();
    expect(told('s2', 16_000)).toBe(6_100);
  });

  test('two that tell each other of one client end up with the same, the later word', () => {
    const word = fc.record({
      server: fc.constantFrom('s1', 's2', 's3'),
      since: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(word, word, (one, other) => {
        const tables = [one, other].map(({ server, since }) => {
          const table = new StickTable(config('type ip size 2'));
          return { table, entry: table.put('a', server, 0, since) };
        });
        const [a, b] = tables;
        if (a?.entry) b?.table.learn(a.entry, 1);
        if (b?.entry) a?.table.learn(b.entry, 1);
        expect(a?.table.find('a', 2)).toBe(b?.table.find('a', 2));
        if (one.since !== other.since) {
          expect(a?.table.find('a', 2)).toBe(one.since > other.since ? one.server : other.server);
        }
      }),
    );
  });

  test("what others only remember lives no longer for being told, and takes nobody's place", () => {
    const table = new StickTable(config('type ip size 2 expire 10s'));
    table.put('a', 's1', 0, 0);
    const tell = (key: string, server: string, since: number, idle: number, now: number) =>
      table.learn({ key, server, since, idle }, now);
    tell('a', 's1', 0, 4_000, 4_000);
    tell('a', 's2', 1, 4_000, 5_000);
    tell('b', 's1', 0, 9_000, 5_000);
    tell('c', 's1', 0, 0, 5_000);
    tell('d', 's1', 0, 10_000, 5_000);
    expect(table.newest(9, 5_000).map(({ key, server, expiresIn }) => [key, server, expiresIn])).toEqual([
      ['b', 's1', 1_000],
      ['a', 's2', 5_000],
    ]);
    table.learn({ key: 'c', server: 's1', since: 0 }, 6_000);
    expect([table.find('c', 6_000), table.size]).toEqual(['s1', 2]);
    expect(table.evicted).toBe(1);
  });

  test('keeps what it has under other limits, as far as they go, and nothing under another type', () => {
    const table = new StickTable(config('type ip size 10'));
    for (const key of ['a', 'b', 'c']) table.put(key, 's1', 0, 0);
    table.update(config('type ip size 2 expire 1m'));
    expect(table.newest(9, 0).map(({ key }) => key)).toEqual(['c', 'b']);
    table.update(config('type string size 2 expire 1m'));
    expect(table.size).toBe(0);
  });

  test('never has more than its size, and always the entries used last', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      put: fc.boolean(),
      wait: fc.integer({ min: 0, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, size) => {
        const table = new StickTable(config(`type string size ${size} expire 10ms`));
        const used: { key: string; at: number; server: string }[] = [];
        let now = 0;
        for (const [i, { key, put, wait }] of steps.entries()) {
          now += wait;
          const alive = used.filter(({ at }) => at + 10 > now).slice(-size);
          const known = alive.find((one) => one.key === key);
          used.splice(0, used.length, ...alive.filter((one) => one !== known));
          if (put) {
            table.put(key, `s${i}`, now, now);
            used.push({ key, at: now, server: `s${i}` });
          } else {
            expect(table.find(key, now)).toBe(known?.server);
            if (known) used.push({ ...known, at: now });
          }
          expect(table.size).toBeLessThanOrEqual(size);
          expect(table.newest(size, now).map((one) => one.key)).toEqual(
            used
              .slice(-size)
              .reverse()
              .map((one) => one.key),
          );
        }
      }),
    );
  });
});

describe('keys', () => {
  const head = requestHead('GET', '/a?user=x&b=1', [
    ['Host', 'a.example'],
    ['Cookie', 'SID=abc; b=2'],
    ['X-User', '0042'],
  ]);
  const key = (type: string, kind: string, name = '', client = '10.0.0.1') =>
    stickKey({ kind, name } as Parameters<typeof stickKey>[0], config(`type ${type} size 1`), client, head);

  test.each<[string, string, string, string | undefined]>([
    ['ip', 'src', '', '10.0.0.1'],
    ['ipv6', 'src', '', '::ffff:10.0.0.1'],
    ['string', 'path', '', '/a'],
    ['string', 'cookie', 'SID', 'abc'],
    ['string', 'cookie', 'XID', undefined],
    ['string', 'url_param', 'user', 'x'],
    ['string', 'hdr', 'x-user', '0042'],
    ['string len 2', 'hdr', 'x-user', '00'],
    ['integer', 'hdr', 'x-user', '42'],
    ['integer', 'cookie', 'SID', undefined],
    ['ip', 'hdr', 'x-user', undefined],
  ])('%s of %s %s', (type, kind, name, expected) => expect(key(type, kind, name)).toBe(expected));

  test('of addresses are of one family', () => {
    expect(key('ip', 'src', '', '::ffff:10.0.0.9')).toBe('10.0.0.9');
    expect(key('ip', 'src', '', '2001:db8::1')).toBeUndefined();
    expect(key('ipv6', 'src', '', '2001:DB8::1')).toBe('2001:db8::1');
  });

  test('of answers are in what a server sets', () => {
    const headers = ['Set-Cookie', 'a=1', 'set-cookie', 'SID=xyz; Path=/', 'X-Id', '7'];
    const table = config('type string size 1');
    expect(answerKey({ kind: 'set-cookie', name: 'SID' }, table, headers)).toBe('xyz');
    expect(answerKey({ kind: 'set-cookie', name: 'S' }, table, headers)).toBeUndefined();
    expect(answerKey({ kind: 'response-hdr', name: 'x-id' }, table, headers)).toBe('7');
  });
});
