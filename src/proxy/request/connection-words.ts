const CLOSE: readonly string[] = ['close'];
const KEEP_ALIVE: readonly string[] = ['keep-alive'];

/** What the value of a Connection field lists, in lower case (RFC 9110, section 7.6.1). Nearly always one word. */
export function connectionWords(value: string): readonly string[] {
  if (value === 'close') return CLOSE;
  if (value === 'keep-alive') return KEEP_ALIVE;
  return value
    .toLowerCase()
    .split(',')
    .map((word) => word.trim());
}
