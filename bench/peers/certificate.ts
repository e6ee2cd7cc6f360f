import { writeFileSync } from 'node:fs';
import { selfSigned } from '../../test/helpers/self-signed.ts';
import type { Place } from './peer.ts';

/** Writes a certificate (ECDSA, P-256) and its key as one PEM file into the place; returns its path. */
export function writeCertificate(place: Place): string {
  const { cert, key } = selfSigned();
  const file = `${place.folder}/site.pem`;
  writeFileSync(file, cert + key);
  return file;
}
