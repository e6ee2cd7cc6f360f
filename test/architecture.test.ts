import { describe, expect, test } from 'vitest';
import { ERRORS } from '../src/core/errors.ts';
import {
  fits,
  ROOT,
  readText,
  repositoryFiles,
  type SourceFile,
  sourceFiles,
} from './helpers/source-tree.ts';

// The house rules. Each test collects what breaks its rule and expects that to be nothing, so that a failure
// reads as the list of places to mend.

const files = sourceFiles();
const tracked = repositoryFiles();

/** A room imports only from itself and from rooms further down. */
const ROOMS = [
  'main',
  'cli',
  'app',
  'worker',
  'api',
  'observe',
  'control',
  'mysql',
  'proxy',
  'discovery',
  'health',
  'dns',
  'registry',
  'balance',
  'config',
  'core',
];

describe('rooms', () => {
  test('every source file is in a room that has a place in the order', () => {
    expect(files.filter(({ room }) => !ROOMS.includes(room)).map(({ path }) => path)).toEqual([]);
  });

  test('a room imports, even types, only from rooms below it', () => {
    const wrong = files.flatMap(({ path, room, imports }) =>
      imports
        .filter(({ target }) => target.startsWith('src/'))
        .filter(({ target }) => ROOMS.indexOf(roomOf(target)) < ROOMS.indexOf(room))
        .map(({ target }) => `${path} imports ${target}, but ${roomOf(target)} is above ${room}`),
    );
    expect(wrong).toEqual([]);
  });

  test('sources import only sources', () => {
    const known = new Set(files.map(({ path }) => path));
    const wrong = files.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => /^(?:src|test|\.)/.test(target) && !known.has(target))
        .map(({ target }) => `${path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no file reaches itself through imports that exist at run time', () => {
    expect(cyclesOf(files)).toEqual([]);
  });
});

/** Files that decide and remember, and take time, randomness and input as arguments. */
const PURE = [
  'src/core/**',
  'src/config/**',
  'src/balance/**',
  'src/registry/**',
  'src/dns/**',
  'src/health/threshold.ts',
  'src/health/report.ts',
  'src/discovery/consul/answers.ts',
  'src/discovery/consul/follow-state.ts',
  'src/discovery/consul/question.ts',
  'src/discovery/discovered-set.ts',
  'src/discovery/guards.ts',
  'src/discovery/hints.ts',
  'src/discovery/service-instance.ts',
  'src/discovery/watcher-state.ts',
  'src/discovery/weights.ts',
  'src/proxy/rules/**',
  'src/proxy/request/**',
  'src/proxy/lanes/compat/response-head.ts',
  'src/proxy/plane/average.ts',
  'src/proxy/plane/durations.ts',
  'src/proxy/plane/hedges.ts',
  'src/proxy/plane/rate.ts',
  'src/proxy/plane/tally.ts',
  'src/proxy/plane/wait-queue.ts',
  'src/mysql/failover/**',
  'src/mysql/protocol/**',
  'src/mysql/monitor/failure.ts',
  'src/mysql/monitor/reading.ts',
  'src/mysql/endpoint/hold-gate.ts',
  'src/mysql/vip-entries.ts',
  'src/mysql/vip-tally.ts',
  'src/control/explain.ts',
  'src/control/history.ts',
  'src/control/name-news.ts',
  'src/control/outage.ts',
  'src/control/panic-watch.ts',
  'src/control/idle-votes.ts',
  'src/control/merge-counters.ts',
  'src/control/shares.ts',
  'src/observe/columns/**',
  'src/observe/haproxy-log-format.ts',
  'src/observe/json-log-format.ts',
];
/** Files in pure rooms that are the room's door to the outside. */
const DOORS = [
  'src/core/clock.ts',
  'src/core/http.ts',
  'src/config/load.ts',
  'src/registry/registry.ts',
  'src/registry/stores/**',
  'src/dns/client.ts',
  'src/dns/exchange.ts',
  'src/dns/kept-connections.ts',
  'src/dns/server.ts',
  'src/dns/server-tcp.ts',
  'src/dns/server-udp.ts',
  'src/proxy/request/http-acceptor.ts',
];
/** Modules of Node that compute and nothing else; of others only some names. */
const PURE_MODULES = ['node:path', 'node:util', 'node:buffer', 'node:punycode'];
const PURE_NAMES =
  /^import \{(?:(?:\s*(?:isIP|isIPv4|isIPv6|BlockList)\s*,?)+\} from 'node:net'|(?:\s*(?:X509Certificate|createPrivateKey|createHash)\s*,?)+\} from 'node:crypto');/gm;
const IMPURE_CALLS =
  /\b(?:setTimeout|setInterval|setImmediate|Date\.now|new Date\(\)|Math\.random|performance\.now|(?<!\.)process\.\w+|fetch\()/g;

describe('purity', () => {
  const pure = files.filter(({ path }) => matches(path, PURE) && !matches(path, DOORS));

  test('the lists name files that exist', () => {
    const stale = [...PURE, ...DOORS].filter((pattern) => !files.some(({ path }) => fits(path, pattern)));
    expect(stale).toEqual([]);
  });

  test('pure files import no socket, timer, process or file module', () => {
    const wrong = pure.flatMap((file) => {
      const rest = file.code.replace(PURE_NAMES, '');
      return file.imports
        .filter(({ target, typeOnly }) => target.startsWith('node:') && !typeOnly)
        .filter(({ target }) => !PURE_MODULES.includes(target) && rest.includes(`'${target}'`))
        .map(({ target }) => `${file.path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test('pure files read no clock, draw no random number and start no timer', () => {
    const wrong = pure.flatMap(({ path, code }) =>
      [...code.matchAll(IMPURE_CALLS)].map(([call]) => `${path} uses ${call}`),
    );
    expect(wrong).toEqual([]);
  });

  test("only core/http.ts has Node's http", () => {
    const wrong = files.flatMap(({ path, imports }) =>
      imports.filter(({ target, typeOnly }) => target === 'node:http' && !typeOnly).map(() => path),
    );
    expect(wrong).toEqual([]);
  });

  test('only core/clock.ts knows real timers and clocks', () => {
    const wrong = files
      .filter(({ path }) => path !== 'src/core/clock.ts')
      .flatMap(({ path, code }) =>
        [...code.matchAll(/\b(?:setTimeout|setInterval|Date\.now|performance\.now)\(/g)].map(
          ([call]) => `${path} calls ${call})`,
        ),
      );
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  test('no source file is longer than 400 lines', () => {
    expect(files.filter(({ lines }) => lines > 400).map(({ path, lines }) => `${path}: ${lines}`)).toEqual(
      [],
    );
  });

  test('names are in kebab case', () => {
    const named = tracked.filter((path) => /^(?:src|test)\/.*\.(?:ts|mjs)$/.test(path));
    const wrong = named.filter((path) => !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*[/.])+(?:ts|mjs)$/.test(path));
    expect(wrong).toEqual([]);
  });

  test('nothing stands at the top but what belongs there', () => {
    const allowed = [
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'src',
      'test',
      'haproxy-examples',
      'Dockerfile',
      'README.md',
      'bench',
      'deploy',
      'docs',
    ];
    const top = new Set(tracked.map((path) => path.split('/')[0] ?? ''));
    expect([...top].filter((name) => !name.startsWith('.') && !allowed.includes(name))).toEqual([]);
  });

  test('no file speaks of the machine it was written on, of tickets, or of where packages come from', () => {
    // In parts, or this file would be one that says them.
    const hosts = [
      ['npmjs', 'org'],
      ['yarnpkg', 'com'],
      ['debian', 'org'],
    ];
    const words = [ROOT, ...hosts.map((parts) => parts.join('.'))];
    const wrong = tracked.flatMap((path) => {
      const text = readText(path);
      const said = words.filter((word) => text.includes(word));
      const tickets = text.match(/\b(?:issue|ticket|session) #?\d+\b/gi) ?? [];
      return [...said, ...tickets].map((word) => `${path} says ${word}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe('code', () => {
  test('types are not given up on', () => {
    // `any` is Biome's to refuse; these would silence the compiler.
    const wrong = tracked
      .filter((path) => /\.(?:ts|mjs)$/.test(path))
      .flatMap((path) =>
        (readText(path).match(/@ts-(?:ignore|nocheck|expect-error)/g) ?? []).map(
          (found) => `${path}: ${found}`,
        ),
      );
    expect(wrong).toEqual([]);
  });

  test('exports have names', () => {
    expect(files.filter(({ code }) => /^export default\b/m.test(code)).map(({ path }) => path)).toEqual([]);
  });

  test('every error code is used', () => {
    const code = files.filter(({ path }) => path !== 'src/core/errors.ts').map((file) => file.code);
    const unused = Object.keys(ERRORS).filter((name) => !code.some((text) => text.includes(`'${name}'`)));
    expect(unused).toEqual([]);
  });
});

describe('packages', () => {
  const manifest: unknown = JSON.parse(readText('package.json'));
  const dependencies = namesIn(manifest, 'dependencies');

  test('http-proxy-3 is known to one file', () => {
    const importers = files.filter(({ imports }) => imports.some(({ target }) => target === 'http-proxy-3'));
    expect(importers.map(({ path }) => path)).toHaveLength(1);
  });

  test('every dependency is used', () => {
    // The pinned Node is not imported but run.
    const used = files.map(({ code }) => code).concat(readText('src/bin/node.mjs'));
    const unused = dependencies.filter((name) => !used.some((code) => mentions(code, name)));
    expect(unused).toEqual([]);
  });

  test('sources import only what package.json declares', () => {
    const wrong = files.flatMap(({ path, imports }) =>
      imports
        .map(({ target }) => target)
        .filter((target) => !/^(?:src|test|node:|\.)/.test(target))
        .filter((target) => !dependencies.some((name) => target === name || target.startsWith(`${name}/`)))
        .map((target) => `${path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('versions are exact, and the lock file names no place to download from', () => {
    const versions = valuesIn(manifest, 'dependencies').concat(valuesIn(manifest, 'devDependencies'));
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    expect(readText('package-lock.json').match(/"resolved":.*/g) ?? []).toEqual([]);
  });
});

function roomOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '');
}

function matches(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => fits(path, pattern));
}

function mentions(code: string, name: string): boolean {
  return code.includes(`'${name}'`) || code.includes(`'${name}/`);
}

function namesIn(manifest: unknown, key: string): readonly string[] {
  return Object.keys(tableIn(manifest, key));
}

function valuesIn(manifest: unknown, key: string): readonly string[] {
  return Object.values(tableIn(manifest, key)).map(String);
}

function tableIn(manifest: unknown, key: string): object {
  const table = typeof manifest === 'object' && manifest !== null && Reflect.get(manifest, key);
  if (typeof table !== 'object' || table === null) throw new Error(`package.json has no ${key}`);
  return table;
}

/** Every cycle once, as `a → b → a`, found by walking the run-time imports depth first. */
function cyclesOf(all: readonly SourceFile[]): readonly string[] {
  const next = new Map(
    all.map(({ path, imports }) => [path, imports.filter((one) => !one.typeOnly).map((one) => one.target)]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]) => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' → '));
    if (at >= 0 || done.has(path)) return;
    for (const target of next.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of all) walk(path, []);
  return cycles;
}
