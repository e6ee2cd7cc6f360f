import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { HintsFile } from '../../src/discovery/hints-file.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { recordedLog } from '../helpers/registry.ts';
import { endpoint } from '../unit/discovery/scripted-resolver.ts';

const root = mkdtempSync(join(tmpdir(), 'vane-hints-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;

function setUp(file = join(root, `${folders++}`, 'last-answers.json')) {
  const clock = new FakeClock();
  const { log, lines } = recordedLog();
  const open = () => new HintsFile({ file, clock, log });
  return { file, clock, lines, open };
}

const WEB = { resolvers: 'corp', domain: 'web.example.com', port: 80 };
const API = { ...WEB, domain: 'api.example.com' };

test('changes are written together, soon; that nothing has changed is written seldom', async () => {
  const { file, clock, open } = setUp();
  const hints = open();
  const endpoints = [endpoint('10.0.0.1')];
  hints.note(WEB, endpoints);
  hints.note(API, [endpoint('10.0.0.2')]);
  await clock.advanceAsync(999);
  expect(() => statSync(file)).toThrow('ENOENT');
  await clock.advanceAsync(1);
  await eventually(() => expect(JSON.parse(readFileSync(file, 'utf8')).names).toHaveLength(2));
  const written = statSync(file).ino;
  hints.note(WEB, endpoints);
  await clock.advanceAsync(599_000);
  expect(statSync(file).ino).toBe(written);
  await clock.advanceAsync(1_000);
  await eventually(() => expect(statSync(file).ino).not.toBe(written));
  await hints.close();
  expect(clock.pending).toBe(0);
});

test('closing writes what is not written yet, for its owner only, and leaves no draft behind', async () => {
  const { file, open } = setUp();
  const hints = open();
  hints.note(WEB, [endpoint('10.0.0.1')]);
  await hints.close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(file, '..'))).toEqual(['last-answers.json']);
  expect(open().find(WEB)).toMatchObject({ endpoints: [endpoint('10.0.0.1')] });
  expect(open().find({ ...WEB, resolvers: 'other' })).toBeUndefined();
});

test('a file that cannot be written is told of once, and of no other consequence', async () => {
  const occupied = join(root, 'occupied');
  writeFileSync(occupied, '');
  const { clock, lines, open } = setUp(join(occupied, 'last-answers.json'));
  const hints = open();
  for (let n = 1; n < 4; n++) {
    hints.note(WEB, [endpoint(`10.0.0.${n}`)]);
    await clock.advanceAsync(1_000);
  }
  await hints.close();
  expect(hints.find(WEB)).toMatchObject({ endpoints: [endpoint('10.0.0.3')] });
  expect(lines.filter(({ message }) => message.includes('cannot be written'))).toHaveLength(1);
});
