import { connectionWords } from '../../request/connection-words.ts';

/** What a head says about its connection and message (RFC 9110, sections 7.6.1 and 7.8; RFC 9112, section 9.3). */
export interface ConnectionOptions {
  /** It may be used for another message, as far as this side is concerned. */
  readonly persistent: boolean;
  /** A switch of protocols is asked for, or announced. */
  readonly upgrade: boolean;
  /** Values of Upgrade, in their order. */
  readonly protocols: readonly string[];
  /** Values of Expect, in their order. */
  readonly expectations: readonly string[];
  /** It has a Content-Length. */
  readonly hasLength: boolean;
}

const NONE: readonly string[] = [];

/** Reads as Node does: Proxy-Connection counts as Connection. */
export function readConnectionOptions(httpVersion: string, headers: readonly string[]): ConnectionOptions {
  let protocols = NONE;
  let expectations = NONE;
  let close = false;
  let keepAlive = false;
  let upgrade = false;
  let hasLength = false;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    // Most fields are told by their length alone.
    const { length } = name;
    if (length !== 10 && length !== 14 && length !== 7 && length !== 6 && length !== 16) continue;
    const value = headers[i + 1] ?? '';
    switch (name.toLowerCase()) {
      case 'connection':
      case 'proxy-connection':
        for (const word of connectionWords(value)) {
          close ||= word === 'close';
          keepAlive ||= word === 'keep-alive';
          upgrade ||= word === 'upgrade';
        }
        break;
      case 'content-length':
        hasLength = true;
        break;
      case 'upgrade':
        protocols = [...protocols, value];
        break;
      case 'expect':
        expectations = [...expectations, value];
        break;
    }
  }
  const persistent = httpVersion === '1.1' ? !close : keepAlive;
  return { persistent, upgrade: upgrade && protocols.length > 0, protocols, expectations, hasLength };
}
