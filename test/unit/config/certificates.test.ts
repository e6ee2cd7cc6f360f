import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';
import { selfSigned } from '../../helpers/self-signed.ts';

const site = selfSigned('site.example');
const other = selfSigned('*.Other.example');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-certificates-'));
  const files = {
    'site.pem': site.key + site.cert,
    'other.pem': other.cert,
    'other.pem.key': other.key,
    'bare.pem': site.cert,
    'mixed.pem': site.cert + other.key,
    'key.pem': site.key,
    'torn.pem': `${site.key}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function bindOf(bind: string) {
  const text = `frontends: { www: { bind: "${bind}", default_backend: web } }
backends: { web: { servers: [{ address: "127.0.0.1:80" }] } }`;
  const context = { env: {}, hostname: 'lb-1', cwd: folder };
  return parseConfig([{ file: 'vane.yaml', text }], context).frontends[0]?.bind[0];
}

test('proto has no use in mode tcp', () => {
  expect(bindOf(':80 proto h2')).toEqual({ host: '0.0.0.0', port: 80, proto: 'h2' });
  const text =
    'frontends: { db: { mode: tcp, bind: ":80 proto h2", default_backend: a } }\nbackends: { a: { mode: tcp, servers: [":1"] } }';
  const read = () => parseConfig([{ file: 'vane.yaml', text }], { env: {}, hostname: 'lb-1', cwd: folder });
  expect(read).toThrow('proto has no use in mode tcp');
});

function problemOf(bind: string) {
  try {
    bindOf(bind);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems[0];
    throw error;
  }
  return undefined;
}

test('the files of an address are read, with the names they are for', () => {
  expect(bindOf(':443 ssl crt site.pem crt other.pem ssl-min-ver TLSv1.3')).toEqual({
    host: '0.0.0.0',
    port: 443,
    tls: {
      minVersion: 'TLSv1.3',
      alpn: ['h2', 'http/1.1'],
      certificates: [
        { file: 'site.pem', chain: site.cert, key: site.key.trim(), names: ['site.example'] },
        { file: 'other.pem', chain: other.cert, key: other.key.trim(), names: ['*.other.example'] },
      ],
    },
  });
});

describe('a file is refused at its place', () => {
  test.each([
    ['none.pem', 'cannot be used: ENOENT'],
    ['bare.pem', 'bare.pem has no private key: append it to the certificates, or put it into bare.pem.key'],
    ['key.pem', 'key.pem has no certificate'],
    ['mixed.pem', 'the private key is not that of the first certificate in mixed.pem'],
    ['torn.pem', 'torn.pem cannot be used'],
  ])('%s', (file, message) => {
    const problem = problemOf(`:443 ssl crt ${file}`);
    expect(problem).toMatchObject({ line: 1, path: 'frontends.www.bind' });
    expect(problem?.column).toBe('frontends: { www: { bind: "'.length + ':443 ssl crt '.length + 1);
    expect(problem?.message).toContain(message);
    // What a key file holds is nobody's to read in a message.
    expect(problem?.message).not.toContain('PRIVATE KEY');
  });
});
