import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { CSV_FIELDS } from '../../src/observe/statistics/csv-fields.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { needs } from '../helpers/needs.ts';
import { startProgram } from '../helpers/program.ts';

needs('haproxy', 'haproxy').test('the fields are those of HAProxy, in its order', async () => {
  const [at = ''] = await freeAddresses(1);
  const folder = mkdtempSync(join(tmpdir(), 'vane-csv-'));
  try {
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(
      file,
      `defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend stats
  bind ${at}
  stats enable
  stats uri /stats
`,
    );
    const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
    await using _haproxy = startProgram('/usr/bin/env', ['haproxy', '-db', '-q', '-f', file], { PATH: path });
    const csv = await eventually(async () => (await fetch(`http://${at}/stats;csv`)).text());
    // Behind them come those of its modules, which other programs do not have.
    const [own] = (csv.split('\n')[0] ?? '').replace(/^# /, '').split(',-,');
    expect(own?.split(',')).toEqual(CSV_FIELDS);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
