import { expect, test } from 'vitest';
import { statisticsCsv } from '../../../../src/observe/statistics/csv.ts';
import { CSV_FIELDS } from '../../../../src/observe/statistics/csv-fields.ts';
import { backendView, frontendView, serverView, systemView } from '../system-view.ts';

/** Lines as objects, by the names in the first. */
function read(csv: string): Record<string, string>[] {
  const [head = '', ...lines] = csv.trimEnd().split('\n');
  const names = head.replace(/^# /, '').split(',');
  return lines.map((line) => {
    const values = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*),/g)].map(([, value = '']) =>
      value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value,
    );
    expect(values).toHaveLength(CSV_FIELDS.length);
    return Object.fromEntries(values.map((value, i) => [names[i] ?? '', value]));
  });
}

test('a line for each frontend, and for each backend its servers and itself', async () => {
  const view = systemView({
    frontends: [frontendView(), frontendView({ name: 'db', mode: 'tcp' })],
    backends: [
      backendView({ servers: [serverView(), serverView({ name: 'web-2', port: 81 })] }),
      backendView({ name: 'empty', servers: [], up: false }),
    ],
  });
  const lines = read(await statisticsCsv(view));
  expect(
    lines.map(({ pxname, svname, type, iid, sid }) => [pxname, svname, type, iid, sid].join(' ')),
  ).toEqual([
    'www FRONTEND 0 1 0',
    'db FRONTEND 0 2 0',
    'web web-1 2 3 1',
    'web web-2 2 3 2',
    'web BACKEND 1 3 0',
    'empty BACKEND 1 4 0',
  ]);
});

test('a frontend has what it counts, and of requests only where it understands them', async () => {
  const [http, tcp] = read(
    await statisticsCsv(
      systemView({ frontends: [frontendView(), frontendView({ mode: 'tcp' }, 'STOP')], backends: [] }),
    ),
  );
  expect(http).toMatchObject({
    ...{ status: 'OPEN', mode: 'http', scur: '101', smax: '102', slim: '2000', stot: '103', bin: '104' },
    ...{ dreq: '151', ereq: '152', req_rate: '154', req_rate_max: '155', req_tot: '153', conn_rate: '157' },
    ...{ hrsp_2xx: '112', hrsp_other: '116', intercepted: '160', dcon: '159', pid: '1' },
    ...{ qcur: '', weight: '', check_status: '', addr: '' },
  });
  expect(tcp).toMatchObject({ status: 'STOP', mode: 'tcp', req_rate: '', hrsp_2xx: '', conn_rate: '157' });
});

test('a server has where it is, how it is, and what its last check said', async () => {
  const check = {
    position: 'UP 3/4',
    lastCode: 'L7STS',
    httpStatus: 503,
    durationMs: 2.4,
    health: 3,
  } as const;
  const [checked, registered] = read(
    await statisticsCsv(
      systemView({
        frontends: [],
        backends: [
          backendView({
            servers: [
              serverView({ check: { ...check, info: 'says "no", and\nmore' }, maxconn: 20, weight: 7 }),
              serverView({ name: 'web-2', backup: true, up: false }),
            ],
          }),
        ],
      }),
    ),
  );
  expect(checked).toMatchObject({
    ...{ status: 'UP 3/4', addr: '10.0.0.1:80', weight: '7', act: '1', bck: '0', slim: '20', lastchg: '12' },
    ...{ check_status: 'L7STS', check_code: '503', check_duration: '2', last_chk: 'says "no", and more' },
    ...{ check_rise: '2', check_fall: '3', check_health: '3', check_desc: 'Layer4 check passed' },
    ...{ qcur: '121', econ: '123', lbtot: '127', lastsess: '7', ttime_max: '1144', srv_icur: '171' },
  });
  expect(registered).toMatchObject({ status: 'DOWN', act: '0', bck: '1', check_status: '', check_rise: '' });
});

test('a backend has its state, its algorithm and its servers in use', async () => {
  const servers = [serverView({ weight: 3 }), serverView({ name: 'web-2', weight: 4 })];
  const lines = read(
    await statisticsCsv(systemView({ frontends: [], backends: [backendView({ servers })] })),
  );
  expect(lines.at(-1)).toMatchObject({
    ...{ status: 'UP', algo: 'roundrobin', act: '2', bck: '0', weight: '7', downtime: '193', lastchg: '65' },
    ...{ agg_server_status: '', check_status: '', addr: '' },
  });
});

test.each([
  ['maint', 'MAINT'],
  ['drain', 'DRAIN'],
] as const)('a server in %s is said to be in %s, whatever its check finds', async (mode, status) => {
  const servers = [serverView({ mode, check: { position: 'UP' } })];
  const [line] = read(
    await statisticsCsv(systemView({ frontends: [], backends: [backendView({ servers })] })),
  );
  expect(line?.status).toBe(status);
});
