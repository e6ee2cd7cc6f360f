import { describe, expect, test } from 'vitest';
import { backendText, serverText } from '../../../src/cli/explanation-text.ts';
import type { BackendExplanation, ServerExplanation } from '../../../src/control/explain.ts';

/** In the zone of whoever reads it. */
const AT = new Date(2026, 10, 25, 3, 15, 27).getTime();
const plain = (_: string, text: string) => text;

function server(changes: Partial<ServerExplanation>): ServerExplanation {
  const said = { why: '', since: AT - 3_000 };
  return {
    ...{ server: 'web-1', id: '10.0.0.1:80/web-1', address: '10.0.0.1', port: 80, work: 'open' },
    ...{ decided: { source: 'discovery', why: 'found by web.service.consul' }, since: AT - 11_400_000 },
    ...{ drainEnds: undefined, weight: 1, backup: false, events: [] },
    discovery: { present: true, held: false, ...said, why: 'found by web.service.consul' },
    health: { up: true, check: undefined, ...said, why: 'not checked' },
    operator: { mode: 'ready', ...said },
    ...changes,
  };
}

function backend(changes: Partial<BackendExplanation>): BackendExplanation {
  return {
    ...{ backend: 'web', at: AT, up: true, since: AT - 11_400_000 },
    panic: { threshold: 0, active: false, since: AT, entered: 0 },
    ...{ names: [], servers: [], departed: [], events: [] },
    ...changes,
  };
}

const REFUSED = 'Layer4 connection problem, info: "Connection refused", check duration: 1ms, 3 in a row';

const DOWN = server({
  ...{ server: 'web-3', id: '10.0.0.3:80/web-3', address: '10.0.0.3', work: 'closed', since: AT - 247_000 },
  decided: { source: 'health', why: REFUSED },
  health: {
    up: false,
    check: { position: 'DOWN', lastCode: 'L4CON', why: REFUSED, row: 124 },
    why: REFUSED,
    since: AT - 247_000,
  },
  events: [
    {
      at: AT - 86_400_000,
      source: 'discovery',
      says: 'found',
      why: 'found by web.service.consul',
      to: 'open',
    },
    { at: AT - 247_000, source: 'health', says: 'down', why: REFUSED, to: 'draining' },
    { at: AT - 246_000, source: 'drain', says: 'no work left', why: '', to: 'closed' },
  ],
});

describe('a backend', () => {
  test('is told with what is out first, and why', () => {
    const text = backendText(
      backend({
        servers: [server({}), DOWN],
        names: [
          {
            ...{ domain: 'web.service.consul', resolvers: 'builtin', lastAnswer: AT - 1_000, found: 2 },
            ...{ error: undefined, stale: false, hint: false, kept: false, until: undefined, held: [] },
            excluded: [{ name: 'web-4', address: '10.0.0.4:80', why: 'critical: disk full' }],
          },
        ],
        departed: [
          {
            ...{ server: 'web-0', id: '10.0.0.9:80/web-0' },
            events: [
              { at: AT - 61_000, source: 'discovery', says: 'lost', why: 'deregistered', to: 'draining' },
              { at: AT - 60_000, source: 'drain', says: 'no work left', why: '', to: 'gone' },
            ],
          },
        ],
      }),
      plain,
    );
    expect(text).toBe(`backend web: 1 of 2 servers take new work

out
  web-3  10.0.0.3:80  out since 03:11:20 (4 min 7 s ago)
      health: ${REFUSED}

in
  web-1  10.0.0.1:80  in since 00:05:27 (3 h 10 min ago), discovery: found by web.service.consul

names
  web.service.consul (builtin): 2 found, last answer 03:15:26 (1 s ago)
      left out: web-4 10.0.0.4:80: critical: disk full

gone lately
  web-0  10.0.0.9:80/web-0
      03:14:26  discovery  lost -> draining: deregistered`);
  });

  test('that is down or in a panic says so in its first lines', () => {
    expect(backendText(backend({ up: false, since: AT - 5_000 }), plain)).toBe(
      'backend web: DOWN, no server takes new work, since 03:15:22 (5 s ago)',
    );
    const panic = { threshold: 50, active: true, since: AT - 5_000, entered: 1 };
    const servers = [
      server({ ...DOWN, work: 'open', decided: { source: 'panic', why: 'too few servers are up' } }),
    ];
    expect(backendText(backend({ panic, servers }), plain)).toBe(`backend web: 1 of 1 servers take new work
  PANIC since 03:15:22 (5 s ago): fewer than 50% are up, so all are used

in
  web-3  10.0.0.3:80  in since 03:11:20 (4 min 7 s ago)
      panic: too few servers are up
      health: down: ${REFUSED}`);
  });

  test('tells what guards hold, and what is old', () => {
    const names = [
      {
        ...{ domain: 'a.example.com', resolvers: 'corp', lastAnswer: AT - 120_000, found: 0 },
        ...{ error: 'nobody answers', stale: true, hint: false, kept: true, until: AT + 90_000 },
        ...{ held: ['web-1', 'web-2'], excluded: [] },
      },
      {
        ...{ domain: 'b.example.com', resolvers: 'corp', lastAnswer: undefined, found: undefined },
        ...{
          error: undefined,
          stale: false,
          hint: true,
          kept: false,
          until: undefined,
          held: [],
          excluded: [],
        },
      },
    ];
    expect(backendText(backend({ names }), plain)).toContain(`names
  a.example.com (corp): 0 found, last answer 03:13:27 (2 min 0 s ago)
      look-ups fail: nobody answers
      stale: its servers may not be right any more
      guard on-empty: the answer has no servers, the last ones are kept until 03:16:57 (in 1 min 30 s)
      guard max-removal: holds web-1, web-2; more may go 03:16:57 (in 1 min 30 s)
  b.example.com (corp): not resolved since the start
      servers known from before the start are used meanwhile, those that accept connections`);
  });
});

test('a server is told with all that was said of it', () => {
  expect(serverText(backend({ servers: [DOWN] }), plain)).toBe(`server web/web-3  10.0.0.3:80
  OUT: it gets nothing, since 03:11:20 (4 min 7 s ago)
  because of health: ${REFUSED}

  discovery  present, since 03:15:24 (3 s ago): found by web.service.consul
  health     down, since 03:11:20 (4 min 7 s ago): ${REFUSED}
             DOWN, last check L4CON, 124 in a row alike
  operator   ready

  what happened, the last at the end
    2026-11-24 03:15:27  discovery  found -> open: found by web.service.consul
    03:11:20  health     down -> draining: ${REFUSED}
    03:11:21  drain      no work left -> closed`);
});

test('a server that has left is told of too', () => {
  const departed = [{ server: 'web-0', id: '10.0.0.9:80', events: DOWN.events.slice(1) }];
  expect(serverText(backend({ departed }), plain)).toMatch(
    /^server web\/web-0 {2}10\.0\.0\.9:80\n {2}GONE: it is not a server of this backend any more\n\n {2}what happened/,
  );
});

test('what a check has said cannot command the terminal, or pretend to be a line of its own', () => {
  const why = 'down\n  web-9  10.0.0.9:80  in\u001b]0;owned\u0007\u001b[2J\u202e';
  const shown = backendText(backend({ servers: [{ ...DOWN, decided: { source: 'health', why } }] }), plain);
  expect(shown).toContain('health: down   web-9  10.0.0.9:80  in ]0;owned [2J');
  expect(shown.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
});
