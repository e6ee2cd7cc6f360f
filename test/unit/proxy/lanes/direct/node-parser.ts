import { createServer, type IncomingMessage, request } from 'node:http';
import { Duplex } from 'node:stream';

/** What Node's strict parser makes of the octets of a message. */
export interface NodeMessage {
  /** Method and request-target, or status and reason phrase. */
  readonly start: readonly [string, string];
  readonly httpVersion: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** The body came to its end. */
  readonly complete: boolean;
}

/** Both ends of a connection that is none: what is put in is read, what is written is dropped. */
class Wire extends Duplex {
  constructor() {
    super({ read() {}, write: (_chunk, _encoding, done) => done() });
  }
}

/** The messages that Node's server takes out of a text before it finds something wrong with it, if it does. */
export async function parsedRequests(text: string): Promise<NodeMessage[]> {
  const found: Taken[] = [];
  const server = createServer({ insecureHTTPParser: false, requireHostHeader: false });
  server.maxHeadersCount = 0;
  const take = (incoming: IncomingMessage) => found.push(collect(incoming));
  for (const event of ['request', 'checkContinue', 'checkExpectation', 'upgrade', 'connect'])
    server.on(event, take);
  server.on('clientError', () => {});
  const wire = new Wire();
  server.emit('connection', wire);
  await play(wire, text);
  return found.map(finished);
}

/** The final answer that Node's client takes out of a text; undefined: it finds something wrong with the head. */
export async function parsedResponse(text: string): Promise<NodeMessage | undefined> {
  let found: Taken | undefined;
  const wire = new Wire();
  const asked = request({ createConnection: () => wire, insecureHTTPParser: false });
  asked.maxHeadersCount = 0;
  asked.on('error', () => {});
  asked.on('response', (incoming) => {
    found = collect(incoming);
  });
  asked.end();
  await play(wire, text);
  return found && finished(found);
}

interface Taken {
  readonly incoming: IncomingMessage;
  body: string;
}

function collect(incoming: IncomingMessage): Taken {
  const taken: Taken = { incoming, body: '' };
  incoming.on('data', (bytes: Buffer) => {
    taken.body += bytes.toString('latin1');
  });
  incoming.on('error', () => {});
  return taken;
}

function finished({ incoming, body }: Taken): NodeMessage {
  const { method, url = '', statusCode, statusMessage = '', httpVersion, rawHeaders, complete } = incoming;
  const start: [string, string] = method ? [method, url] : [String(statusCode), statusMessage];
  return { start, httpVersion, headers: rawHeaders, body, complete };
}

async function play(wire: Wire, text: string): Promise<void> {
  wire.on('error', () => {});
  await turn();
  wire.push(Buffer.from(text, 'latin1'));
  await turn();
  await turn();
  wire.destroy();
}

/** Long enough for a stream without a source to say all that it has. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
