/**
 * Text of the configuration as it goes over the wire and as heads are read off it: UTF-8, one character for each
 * octet. Without this a rule could neither say nor match anything beyond ASCII.
 */
export function octets(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
