import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig, parseConfig } from '../src/config/load.ts';
import { needs } from './helpers/needs.ts';
import { ROOT, readText, repositoryFiles } from './helpers/source-tree.ts';

// Nothing is shown to users that does not work: every example and every block of YAML in the documentation is
// loaded, every HAProxy file is read by HAProxy, every link leads somewhere.

const context = { env: {}, hostname: 'lb-1', cwd: ROOT };
const files = repositoryFiles();

const configs = files.filter((path) => /^(?:haproxy-examples|deploy)\/.*\.ya?ml$/.test(path));
const pages = files.filter((path) => /^(?:README|docs\/.*|haproxy-examples\/.*|deploy\/.*)\.md$/.test(path));
const haproxyConfigs = files.filter((path) => /^haproxy-examples\/.*\.cfg$/.test(path));
const keepalivedConfigs = files.filter((path) => /^haproxy-examples\/.*\/keepalived[^/]*\.conf$/.test(path));

describe('examples', () => {
  test.each(configs)('%s is a good configuration', async (path) => {
    const config = await loadConfig(path, context);
    expect(config.frontends.length + config.backends.length + config.mysqlVips.length).toBeGreaterThan(0);
  });

  needs('haproxy', 'haproxy').describe('for HAProxy', () => {
    test.each(haproxyConfigs)('%s is a good configuration', (path) => {
      const check = () =>
        execFileSync('haproxy', ['-c', '-f', path], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' });
      expect(check()).toContain('Configuration file is valid');
    });
  });

  needs('keepalived', 'keepalived').describe('for keepalived', () => {
    test.each(keepalivedConfigs)('%s is a good configuration', (path) => {
      // It ends its process group, and says something only of mistakes and of network interfaces that are not here.
      const command = ['--wait', 'keepalived', '--config-test', '--log-console', '-f', path];
      const { stdout, stderr } = spawnSync('setsid', command, { cwd: ROOT, encoding: 'utf8' });
      const said = `${stdout}${stderr}`.split('\n').filter((line) => line.includes(path));
      expect(said.filter((line) => !line.includes('interface'))).toEqual([]);
    });
  });
});

describe('documentation', () => {
  const blocks = pages.flatMap((path) => yamlBlocksOf(path));

  test.each(blocks)('the YAML at $file is a good configuration', ({ file, text }) => {
    // Secrets that are mounted where it is used are not there.
    const whole = text.replaceAll(/\$\{file:[^}]+\}/g, 'a-secret-of-that-file');
    expect(() => parseConfig([{ file, text: whole }], context)).not.toThrow();
  });

  test.each(pages)('every link in %s leads to a file', (path) => {
    const links = [...readText(path).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = '']) => target);
    const relative = links.filter((target) => !/^[a-z]+:/.test(target));
    expect(relative.filter((target) => !existsSync(join(ROOT, dirname(path), target)))).toEqual([]);
  });
});

/** Blocks of YAML that hold more than comments, named by where they begin. */
function yamlBlocksOf(path: string) {
  return [...readText(path).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
    .map(({ 1: text = '', index, input }) => ({
      file: `${path}:${input.slice(0, index).split('\n').length}`,
      text,
    }))
    .filter(({ text }) => /^\s*[^#\s]/m.test(text));
}
