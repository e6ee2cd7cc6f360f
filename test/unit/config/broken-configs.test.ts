import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';

/**
 * Each file says on its first lines what is wrong with it, and where (the lines themselves count):
 * `# expect: LINE:COLUMN path | part of the message`.
 */
const folder = new URL('../../fixtures/broken-configs/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

function problemsOf(file: string, text: string) {
  try {
    parseConfig([{ file, text }], { env: {}, hostname: 'lb-1', cwd: '/srv' });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('broken configurations are told at their place', () => {
  test('there are many kinds', () => expect(files.length).toBeGreaterThanOrEqual(40));

  test.each(files)('%s', (file) => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    const expected = [...text.matchAll(/^# expect: (\d+:\d+)(?: (\S+))? \| (.+)$/gm)];
    const problems = problemsOf(file, text);
    expect(problems.map(({ line, column, path }) => ({ at: `${line}:${column}`, path }))).toEqual(
      expected.map(([, at, path]) => ({ at, path: path ?? '' })),
    );
    for (const [i, { message, suggestion, file: named }] of problems.entries()) {
      expect(`${message} (${suggestion})`).toContain(expected[i]?.[3]);
      expect(named).toBe(file);
    }
    expect(expected.length).toBeGreaterThan(0);
  });
});
