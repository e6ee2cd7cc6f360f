import { createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../../core/errors.ts';
import type { BindLine, SslWords } from '../bind-line.ts';
import type { Path } from '../problem.ts';
import type { Certificate, FrontendBind } from '../runtime/binds.ts';
import type { ServerTls } from '../runtime/servers.ts';
import type { ServerSslWords } from '../server-ssl-line.ts';
import type { ResolveContext } from './context.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]*?-----END (?:[A-Z]+ )?PRIVATE KEY-----/;

/** HAProxy 2.8 and later: what clients of an HTTP frontend are offered. */
const HTTP_PROTOCOLS = ['h2', 'http/1.1'] as const;

/** An address with the certificates of its files read; undefined when one of them was reported. */
export function resolveBind(
  { ssl, proto, ...rest }: BindLine,
  mode: 'http' | 'tcp',
  path: Path,
  context: ResolveContext,
): FrontendBind | undefined {
  if (proto && mode === 'tcp') {
    context.report({ path, at: { offset: proto.offset }, message: 'proto has no use in mode tcp' });
  }
  const bind = { ...rest, ...(proto ? { proto: proto.is } : {}) };
  if (!ssl) return bind;
  const certificates = ssl.crt.map((crt) => readCertificate(crt, path, context));
  if (!certificates.every((certificate) => certificate !== undefined)) return undefined;
  const alpn = ssl.alpn ?? (mode === 'http' ? HTTP_PROTOCOLS : []);
  return { ...bind, tls: { certificates, minVersion: ssl.minVersion, alpn } };
}

/** @param host the name of the servers unless `sni` says another */
export function resolveServerTls(
  { verify, caFile, sni }: ServerSslWords,
  host: string,
  path: Path,
  context: ResolveContext,
): ServerTls {
  const ca = caFile && readTrusted(caFile, path, context);
  return { verify: verify === 'required', ca, name: sni ?? host };
}

/** The certificates of a file, in PEM. Undefined when it was reported. */
export function readTrusted(
  { path: file, offset }: NonNullable<ServerSslWords['caFile']>,
  path: Path,
  context: ResolveContext,
): string | undefined {
  try {
    const certificates = context.readFile(file).match(CERTIFICATE);
    for (const certificate of certificates ?? []) new X509Certificate(certificate);
    if (certificates) return `${certificates.join('\n')}\n`;
    context.report({ path, at: { offset }, message: `${file} has no certificate: expected PEM text` });
  } catch (error) {
    context.report({ path, at: { offset }, message: `${file} cannot be used: ${messageOf(error)}` });
  }
  return undefined;
}

/**
 * As HAProxy's `crt` (configuration manual, section 5.1): one PEM file with the certificate, those that lead to its
 * root, and the key; the key may also be in a file of the same name with `.key` at its end.
 */
function readCertificate(
  { path: file, offset }: SslWords['crt'][number],
  path: Path,
  context: ResolveContext,
): Certificate | undefined {
  const refuse = (message: string) => {
    context.report({ path, at: { offset }, message });
    return undefined;
  };
  try {
    const text = context.readFile(file);
    const chain = text.match(CERTIFICATE);
    if (!chain) return refuse(`${file} has no certificate: expected PEM text (-----BEGIN CERTIFICATE-----)`);
    const key = PRIVATE_KEY.exec(text)?.[0] ?? keyBeside(file, context);
    if (key === undefined) {
      return refuse(`${file} has no private key: append it to the certificates, or put it into ${file}.key`);
    }
    const certificate = new X509Certificate(chain[0]);
    if (!certificate.checkPrivateKey(createPrivateKey(key))) {
      return refuse(`the private key is not that of the first certificate in ${file}`);
    }
    return { file, chain: `${chain.join('\n')}\n`, key, names: namesOf(certificate) };
  } catch (error) {
    return refuse(`${file} cannot be used: ${messageOf(error)}`);
  }
}

/** Undefined where there is no such file: most have the key in the first. */
function keyBeside(file: string, context: ResolveContext): string | undefined {
  let text: string;
  try {
    text = context.readFile(`${file}.key`);
  } catch {
    return undefined;
  }
  return PRIVATE_KEY.exec(text)?.[0];
}

/** The host names it is for (RFC 6125: those of subjectAltName, the common name only where there are none). */
function namesOf({ subjectAltName, subject }: X509Certificate): readonly string[] {
  const names = [...(subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].map(([, name = '']) => name);
  if (names.length > 0) return names.map((name) => name.toLowerCase());
  const common = /(?:^|\n)CN=(\S+)/.exec(subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}
