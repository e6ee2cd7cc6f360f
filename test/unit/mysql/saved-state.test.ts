import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { restoredState, type SavedVip, savedOf } from '../../../src/mysql/failover/saved-state.ts';
import type { VipState } from '../../../src/mysql/failover/vip-state.ts';
import { VipsFile } from '../../../src/mysql/vips-file.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { bad, Failover, good, PROMOTE } from './failover-rig.ts';

const SERVERS = [
  { id: 'db1', role: 'master' as const, host: '10.0.0.11', port: 3306 },
  { id: 'db2', role: 'slave' as const, host: '10.0.0.12', port: 3306 },
];
const LOST = good({ io: 'connecting', lag: null });

function restarted(failover: Failover, servers = SERVERS): Failover {
  const again = new Failover(failover.policy);
  const saved = JSON.parse(JSON.stringify(savedOf(failover.state, SERVERS, 1_000_000))) as SavedVip;
  const state: VipState | undefined = restoredState(saved, servers, 0, 1_000_000 + failover.now);
  if (state) again.state = state;
  return again;
}

describe('after a restart', () => {
  test('clients stay with the slave that stood in, until the master may have them', () => {
    const failover = restarted(new Failover().begin().fail());
    expect(failover.probe('db1', good({ gtid: '0-1-9' })).is).toBe('INIT - 2');
    expect(failover.probe('db2', good({ io: 'yes' })).is).toBe('RECOVERING db2 3');
    expect(failover.pass(200_000, good({ gtid: '0-1-9' })).is).toBe('RECOVERING db2 3');
  });

  test('a slave that stood in and is gone leaves the master', () => {
    const failover = restarted(new Failover().begin().fail());
    failover.probe('db2', bad()).probe('db2', bad());
    expect(failover.probe('db1', good()).is).toBe('MASTER db1 3');
  });

  test('what operators have said stands', () => {
    const before = new Failover().begin().order({ do: 'freeze', time: 60_000 }).order({ do: 'pause' });
    const failover = restarted(before.order({ do: 'drain', server: 'db2' }));
    expect(failover.state.standing).toMatchObject({ paused: true, drained: ['db2'], away: false });
    expect(failover.begin().alarms).toEqual(['frozen']);
    failover.now += 60_000;
    expect(failover.probe('db1', good()).alarms).toEqual([]);
    const ever = restarted(new Failover().begin().order({ do: 'freeze', time: undefined }));
    expect(ever.state.standing.frozenUntil).toBe(Number.POSITIVE_INFINITY);
  });

  test('one that was promoted is the master', () => {
    const before = new Failover(PROMOTE).begin().probe('db1', bad()).probe('db2', LOST).probe('db1', bad());
    const failover = restarted(before.see({ kind: 'promoted', isFollowed: false }));
    failover.probe('db1', good()).probe('db2', good());
    expect(failover.is).toBe('PROMOTED db2 3');
  });

  test.each([
    ['done', good(), 'PROMOTED db2 2'],
    ['not done', LOST, 'INIT - 1'],
  ])('in the middle of a promotion it is found out whether that was %s', (_, slave, is) => {
    const before = new Failover(PROMOTE).begin().probe('db1', bad()).probe('db2', LOST).probe('db1', bad());
    expect(before.is).toBe('PROMOTING - 1');
    const failover = restarted(before).probe('db1', bad());
    expect(failover.is).toBe('INIT - 1');
    expect(failover.probe('db2', slave).is).toBe(is);
  });

  test('with other servers than before nothing of it counts', () => {
    const [db1, db2] = SERVERS;
    const failover = new Failover().begin().fail();
    const other = db1 && db2 ? [db1, { ...db2, port: 3307 }] : [];
    expect(restarted(failover, other).state.epoch).toBe(0);
  });
});

describe('the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vane-vips-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const saved = savedOf(new Failover().begin().state, SERVERS, 0);

  test('keeps what was noted last', async () => {
    const { log } = recordedLog();
    const path = join(folder, 'new', 'vips.json');
    const file = new VipsFile(path, log);
    expect(file.find('main')).toBeUndefined();
    file.note('main', { ...saved, epoch: 7 });
    file.note('main', { ...saved, epoch: 8 });
    await file.written();
    expect(new VipsFile(path, log).find('main')?.epoch).toBe(8);
    expect(JSON.parse(readFileSync(path, 'utf8')).version).toBe(1);
  });

  test.each([
    ['torn', '{"version":1,"vips":{"ma'],
    ['of another version', '{"version":2,"vips":{}}'],
    ['of another shape', '{"version":1,"vips":{"main":{"epoch":-1}}}'],
  ])('that is %s is told of, and not used', async (_, text) => {
    const { log, lines } = recordedLog();
    const path = join(folder, 'bad.json');
    writeFileSync(path, text);
    const file = new VipsFile(path, log);
    expect(file.find('main')).toBeUndefined();
    expect(lines.map(({ message }) => message)).toEqual([
      'state of mysql-vips cannot be read, and is not used',
    ]);
    file.note('main', saved);
    await file.written();
    expect(new VipsFile(path, log).find('main')).toEqual(saved);
  });

  test('that cannot be written is told of once', async () => {
    const { log, lines } = recordedLog();
    writeFileSync(join(folder, 'plain'), '');
    const file = new VipsFile(join(folder, 'plain', 'vips.json'), log);
    file.note('main', saved);
    await file.written();
    file.note('main', { ...saved, epoch: 9 });
    await file.written();
    expect(
      lines.filter(({ message }) => message === 'state of mysql-vips cannot be written down'),
    ).toHaveLength(1);
  });
});
