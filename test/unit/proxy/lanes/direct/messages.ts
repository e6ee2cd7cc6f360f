import fc from 'fast-check';

/** Messages as they should be. */
const REQUESTS = [
  'GET /a?b HTTP/1.1\r\nHost: w\r\nX: 1\r\n\r\n',
  'POST /a HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\nhello',
  'PUT / HTTP/1.1\r\nhost: w\r\nTransfer-Encoding: chunked\r\n\r\n3;x="y"\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked \t\r\n\r\n0\r\n\r\n',
  'OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'DELETE http://w/p HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n',
  '\r\nGET / HTTP/1.1\r\nHost: w\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
];
const RESPONSES = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: 1\r\n\r\nhello',
  'HTTP/1.1 404 Not  Found\r\nTransfer-Encoding: chunked\r\n\r\n3;x="y"\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n',
  'HTTP/1.0 500 \r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n',
  'HTTP/1.1 304\r\nEtag: "x"\r\nContent-Length: 7\r\n\r\n',
];

/** What parsers stumble over. */
const STONES = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    ' ',
    '\t',
    '\0',
    '\x7f',
    '\x80',
    '\xff',
    ':',
    ';',
    ',',
    '=',
    '"',
    '\\',
    '#',
    '%',
  ],
  ...[
    '0',
    '1',
    '9',
    'a',
    'f',
    'F',
    '+',
    '-',
    '_',
    '0x',
    '/',
    '//',
    '*',
    '.',
    'HTTP/1.1',
    'HTTP/1.0',
    'http/1.1',
  ],
  ...[
    'GET',
    'POST',
    'PRI',
    'CONNECT',
    'SOURCE',
    'QUERY',
    'M-SEARCH',
    'HEAD ',
    '\r\n ',
    '\r\n\t',
    ' :',
    ': ',
    ':\t',
  ],
  ...['Content-Length: 3\r\n', 'Content-Length: 5\r\n', 'content-length:\t5 \r\n', 'Content-Length: 5\t\r\n'],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'transfer-encoding:\tCHUNKED\r\n',
    'Transfer-Encoding: chunked\t\r\n',
  ],
  ...[
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding: identity\r\n',
    'Transfer-Encoding : chunked\r\n',
  ],
  ...[
    'Connection: close\r\n',
    'Connection: upgrade\r\n',
    'Upgrade: h2c\r\n',
    'Host: w\r\n',
    'Trailer: T\r\n',
    'X:\r\n',
  ],
  ...[
    '0\r\n\r\n',
    '1\r\nx\r\n',
    '00000000000000003\r\nabc\r\n',
    'ffffffffffffffff\r\n',
    ';a',
    ';a=b',
    ';a="b"',
    ';a="\\"',
  ],
];

type Change = readonly [at: number, cut: number, stone: string];

/** Sound messages with some changes: something put in, something left out. */
function changed(texts: readonly string[]): fc.Arbitrary<string> {
  const stone = fc.oneof(
    fc.constantFrom(...STONES),
    fc.nat(255).map((octet) => String.fromCharCode(octet)),
    fc.constant(''),
  );
  const change: fc.Arbitrary<Change> = fc.tuple(fc.nat(), fc.constantFrom(0, 0, 0, 1, 1, 2, 5), stone);
  return fc.tuple(fc.constantFrom(...texts), fc.array(change, { maxLength: 3 })).map(([text, changes]) => {
    return changes.reduce((sofar, [at, cut, put]) => {
      const start = at % (sofar.length + 1);
      return sofar.slice(0, start) + put + sofar.slice(start + cut);
    }, text);
  });
}

export const requestTexts = changed(REQUESTS);
export const responseTexts = changed(RESPONSES);
