import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { startApp } from '../../helpers/app.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freeAddresses } from '../../helpers/free-port.ts';
import { needs } from '../../helpers/needs.ts';
import { startProgram } from '../../helpers/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-prometheus-'));
afterAll(() => rmSync(folder, { recursive: true }));

const VANE = `
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [web.service.consul] } }
`;

// Debian's Prometheus is built without consul_sd_configs, so what that asks for is asked for in access.test.ts.
needs('prometheus', 'prometheus').test('Prometheus scrapes Vane', async () => {
  await using vane = await startApp(VANE);
  const [address = ''] = await freeAddresses(1);
  await using program = startPrometheus(address, new URL(vane.stats).host);
  const ask = async (path: string) => {
    const answer = await fetch(`http://${address}/api/v1/${path}`);
    expect(answer.status, program.output()).toBe(200);
    return Object(await answer.json()).data;
  };
  const active = await eventually(async () => {
    const { activeTargets } = await ask('targets?state=active');
    expect(activeTargets, program.output()).toMatchObject([{ health: 'up' }]);
    return activeTargets;
  }, 15_000);
  expect(active).toMatchObject([{ lastError: '', scrapeUrl: `${vane.stats}/metrics` }]);
  const { result } = await ask(`query?query=${encodeURIComponent('haproxy_frontend_status{state="UP"}')}`);
  expect(result).toMatchObject([{ metric: { proxy: 'www', job: 'vane' }, value: [expect.anything(), '1'] }]);
});

function startPrometheus(address: string, target: string) {
  const file = join(folder, 'prometheus.yml');
  const scrape = `{ job_name: vane, static_configs: [{ targets: ["${target}"] }] }`;
  writeFileSync(file, `global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs: [${scrape}]\n`);
  return startProgram('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
    '--log.level=warn',
  ]);
}
