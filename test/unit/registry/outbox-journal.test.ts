import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../src/core/log.ts';
import type { Change } from '../../../src/registry/model.ts';
import { OutboxJournal } from '../../../src/registry/stores/redis/outbox-journal.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { CAUSE, instanceRow } from '../../helpers/registry-rows.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-outbox-'));
  file = join(folder, 'outbox');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function unsent(id: string) {
  const changes: Change[] = [{ op: 'put-service', service: instanceRow('lb-1', id, 'web') }];
  return { uid: id, changes, cause: CAUSE };
}

test('what was written is there for a later process, in order, until it has been sent', async () => {
  const first = new OutboxJournal(file, silentLog);
  expect([first.read(), first.isEmpty]).toEqual([[], true]);
  await Promise.all(['a', 'b', 'c'].map((id) => first.append(unsent(id))));
  await first.close();
  const second = new OutboxJournal(file, silentLog);
  expect(second.read()).toEqual([unsent('a'), unsent('b'), unsent('c')]);
  expect(second.isEmpty).toBe(false);
  second.clear();
  await second.append(unsent('d'));
  await second.close();
  expect(new OutboxJournal(file, silentLog).read()).toEqual([unsent('d')]);
});

test('a line that was not written to its end is passed over, and told of', async () => {
  const first = new OutboxJournal(file, silentLog);
  await first.append(unsent('a'));
  await first.close();
  appendFileSync(file, readFileSync(file, 'utf8').slice(0, 40));
  const { log, lines } = recordedLog();
  const second = new OutboxJournal(file, log);
  expect(second.read()).toEqual([unsent('a')]);
  await second.append(unsent('b'));
  await second.close();
  expect(new OutboxJournal(file, silentLog).read()).toEqual([unsent('a'), unsent('b')]);
  expect(lines).toMatchObject([{ level: 'error', fields: { kept: 1, lost: 1 } }]);
});

test('without a disk to write to it goes on, and says so once', async () => {
  const { log, lines } = recordedLog();
  appendFileSync(file, '');
  const journal = new OutboxJournal(join(file, 'outbox'), log);
  await journal.append(unsent('a'));
  await journal.append(unsent('b'));
  expect(lines.slice(-1)).toMatchObject([
    { level: 'error', message: expect.stringMatching(/^outbox is not stored/) },
  ]);
});
