import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Files of the checkout that are, or would be, under version control; paths are relative to it. */
export function repositoryFiles(): readonly string[] {
  const list = (...args: string[]) =>
    execFileSync('git', ['ls-files', '-z', ...args], { cwd: ROOT, encoding: 'utf8' }).split('\0');
  const deleted = new Set(list('--deleted'));
  const all = list('--cached', '--others', '--exclude-standard');
  return all.filter((path) => path !== '' && !deleted.has(path)).sort();
}

export function readText(path: string): string {
  return readFileSync(resolve(ROOT, path), 'utf8');
}

export interface Import {
  /** Of the checkout for a relative import, else as written. */
  readonly target: string;
  /** Gone once types are stripped. */
  readonly typeOnly: boolean;
}

export interface SourceFile {
  readonly path: string;
  /** First folder under src, or the name of a file that stands there. */
  readonly room: string;
  readonly lines: number;
  /** The text without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** The TypeScript under src, read and scanned. */
export function sourceFiles(): readonly SourceFile[] {
  const paths = repositoryFiles().filter((path) => path.startsWith('src/') && path.endsWith('.ts'));
  return paths.map((path) => {
    const text = readText(path);
    const code = withoutComments(text);
    return {
      path,
      room: (path.split('/')[1] ?? '').replace(/\.ts$/, ''),
      lines: text.split('\n').length - 1,
      code,
      imports: importsOf(path, code),
    };
  });
}

/** Whether a path fits a pattern in which `**` stands for anything and `*` for anything but a slash. */
export function fits(path: string, pattern: string): boolean {
  const source = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*|\*/g, (stars) => (stars === '**' ? '.*' : '[^/]*'));
  return new RegExp(`^${source}$`).test(path);
}

/** Strings are matched first so that what looks like a comment inside them stays. */
const STRING_OR_COMMENT =
  /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

function withoutComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, (_, string: string | undefined) => string ?? '');
}

const STATIC_IMPORT = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\bfrom\s*)?'([^']+)'/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*'([^']+)'/g;

function importsOf(path: string, code: string): readonly Import[] {
  const target = (written: string) =>
    written.startsWith('.') ? posix.join(posix.dirname(path), written) : written;
  const statics = [...code.matchAll(STATIC_IMPORT)].map(([, type, written = '']) => ({
    target: target(written),
    typeOnly: type !== undefined,
  }));
  const dynamics = [...code.matchAll(DYNAMIC_IMPORT)].map(([, written = '']) => ({
    target: target(written),
    typeOnly: false,
  }));
  return [...statics, ...dynamics];
}
