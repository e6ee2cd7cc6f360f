import { describe, expect, test } from 'vitest';
import { html } from '../../../../src/api/page/html.ts';
import { bytes, count, duration, milliseconds } from '../../../../src/api/page/words.ts';
import { pageRequest, statisticsPage } from '../../../../src/api/stats/page/page.ts';
import type { SystemView } from '../../../../src/control/view.ts';
import {
  backendView,
  frontendView,
  mysqlVipView,
  nameView,
  serverView,
  systemView,
} from '../../observe/system-view.ts';

function page(view: SystemView, query = '', reasons: readonly string[] = []): string {
  return statisticsPage(view, reasons, pageRequest(new URLSearchParams(query)));
}

/** What a reader sees. */
function textOf(page: string): string {
  return page
    .replace(/<style>.*<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
}

describe('html', () => {
  test('what comes from outside is text, wherever it stands', () => {
    const evil = `<script>"a" & 'b'`;
    expect(html`<p title="${evil}">${evil}</p>`.text).toBe(
      '<p title="&#60;script&#62;&#34;a&#34; &#38; &#39;b&#39;">&#60;script&#62;&#34;a&#34; &#38; &#39;b&#39;</p>',
    );
  });

  test('pieces of HTML and lists of them are taken as they are', () => {
    expect(html`<ul>${['a', '<b>'].map((one) => html`<li>${one}</li>`)}${undefined}${7}</ul>`.text).toBe(
      '<ul><li>a</li><li>&#60;b&#62;</li>7</ul>',
    );
  });
});

test.each([
  [0, '0s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [3_599_000, '59m 59s'],
  [90_061_000, '1d 1h'],
  [-5, '0s'],
])('%d ms are %s', (ms, words) => {
  expect(duration(ms)).toBe(words);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [1_234_567, '1.2 MB'],
  [999_950_000, '1.0 GB'],
])('%d bytes are %s', (number, words) => {
  expect(bytes(number)).toBe(words);
});

test('numbers are grouped, times rounded', () => {
  expect(count(1_234_567)).toBe('1\u202f234\u202f567');
  expect(count(undefined)).toBe('–');
  expect([milliseconds(0.25), milliseconds(12.6), milliseconds(1_260)]).toEqual(['0.3 ms', '13 ms', '1.3 s']);
});

describe('the page', () => {
  test('says where it is, whether all is well, and what each proxy does', () => {
    const shown = textOf(
      page(
        systemView({
          frontends: [frontendView()],
          backends: [backendView({ servers: [serverView(), serverView({ name: 'web-2', up: false })] })],
          mysqlVips: [mysqlVipView()],
        }),
      ),
    );
    for (const words of [
      'Vane on lb-1',
      'Ready.',
      '5 workers had to be started again',
      'www OPEN',
      'web UP',
      'web.service.consul by builtin : 2 servers, 1s ago',
      'web-1 10.0.0.1:80 UP 12s',
      'web-2 10.0.0.1:80 DOWN 12s',
      'mysql-vip main MASTER',
      'Clients are led to db1 : the master answers',
      'split: db1 and db2 both take writes',
    ]) {
      expect(shown).toContain(words);
    }
  });

  test('what is wrong is said in words', () => {
    const name = nameView({
      error: { code: 'RESOLVE_FAILED', message: 'nobody answers' },
      stale: true,
      held: 3,
    });
    const shown = textOf(
      page(systemView({ backends: [backendView({ up: false, names: [name] })] }), '', ['no server in web']),
    );
    expect(shown).not.toContain('Ready.');
    for (const words of [
      'no server in web',
      'web DOWN',
      'last look-up failed: nobody answers',
      '3 servers are gone',
    ]) {
      expect(shown).toContain(words);
    }
  });

  test('names and reasons from outside cannot become markup', () => {
    const evil = '"><script>alert(1)</script>';
    const shown = page(
      systemView({
        frontends: [frontendView({ name: evil })],
        backends: [
          backendView({
            name: evil,
            servers: [serverView({ name: evil, check: { lastCode: 'L7RSP', info: evil } })],
            names: [nameView({ domain: evil, error: { code: 'RESOLVE_FAILED', message: evil } })],
          }),
        ],
        mysqlVips: [mysqlVipView({ name: evil, reason: evil, target: evil })],
      }),
      `backend=${encodeURIComponent(evil)}`,
      [evil],
    );
    expect(shown).not.toMatch(/<script/i);
    expect(shown).toContain('&#60;script&#62;');
  });

  test('can be of one backend, and of servers in trouble only', () => {
    const servers = [serverView(), serverView({ name: 'web-2', mode: 'maint' })];
    const view = systemView({ backends: [backendView({ servers }), backendView({ name: 'api' })] });
    const one = textOf(page(view, 'backend=web&trouble'));
    expect(one).toContain('web-2');
    expect(one).toContain('1 more, not shown');
    expect(one).not.toContain('web-1 ');
    expect(one).not.toContain('api');
    expect(textOf(page(view, 'backend=wbe'))).toContain('No backend is called wbe.');
  });

  test('thousands of servers are cut to what can be looked at, and the rest is said', () => {
    const many = Array.from({ length: 700 }, (_, i) => serverView({ name: `web-${i}` }));
    const view = systemView({
      backends: [backendView({ servers: many }), backendView({ name: 'api', servers: many })],
    });
    const shown = page(view);
    expect(shown.match(/scope="row"/g)).toHaveLength(view.frontends.length + 1_000);
    expect(textOf(shown)).toContain('400 more, not shown');
  });

  test.each([
    ['refresh=5', 5],
    ['refresh=0.1', 1],
    ['refresh=99999', 3_600],
    ['refresh=-1', undefined],
    ['refresh=x', undefined],
    ['', undefined],
  ])('?%s asks again after %s s', (query, seconds) => {
    const found = /http-equiv="refresh" content="(\d+)"/.exec(page(systemView(), query))?.[1];
    expect(found === undefined ? undefined : Number(found)).toBe(seconds);
  });
});
