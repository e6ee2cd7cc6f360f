import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAnswer } from '../../../../../src/proxy/lanes/direct/answer.ts';
import { BodyReader } from '../../../../../src/proxy/lanes/direct/body-reader.ts';
import { HeadParser } from '../../../../../src/proxy/lanes/direct/head-parser.ts';
import { readIncoming } from '../../../../../src/proxy/lanes/direct/incoming-request.ts';
import { requestTexts, responseTexts } from './messages.ts';
import { type NodeMessage, parsedRequests, parsedResponse } from './node-parser.ts';

// Whatever we take, Node takes too, and understands alike. What Node takes and we do not is no fault: we are stricter.

test('no request is taken that Node refuses, and every field and body is the same', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(requestTexts, async (text) => {
      const ours = requestsIn(text);
      const theirs = await parsedRequests(text);
      expect(theirs.slice(0, ours.length)).toEqual(ours);
      taken += ours.length;
    }),
    { seed: 20_261_124, numRuns: 4_000 },
  );
  // Or nothing would have been compared.
  expect(taken).toBeGreaterThan(1_000);
});

test('no answer is taken that Node refuses, and every field and body is the same', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(responseTexts, async (text) => {
      const ours = responseIn(text);
      if (ours === undefined) return;
      expect(await parsedResponse(text)).toEqual(ours);
      taken++;
    }),
    { seed: 20_261_124, numRuns: 4_000 },
  );
  expect(taken).toBeGreaterThan(1_000);
});

/** The requests that the direct lane would take from a text, up to the first that is not whole or not the last. */
function requestsIn(text: string): NodeMessage[] {
  const bytes = Buffer.from(text, 'latin1');
  const parser = new HeadParser('request');
  const body = new BodyReader();
  const found: NodeMessage[] = [];
  for (let at = 0; at < bytes.length && parser.read(bytes, at) === 'done'; ) {
    const request = readIncoming(parser, false);
    if ('refused' in request) break;
    const { method, target, httpVersion, headers } = request.head;
    body.begin(request.framing === 'none' ? 0 : request.framing);
    const end = body.read(bytes, parser.end);
    if (end < 0 || !body.complete) break;
    const data = bytes.toString('latin1', body.from, body.to);
    found.push({ start: [method, target], httpVersion, headers: [...headers], body: data, complete: true });
    if (!request.persistent) break;
    at = end;
  }
  return found;
}

/** The final answer that the direct lane would take from a text, if that is all there is of it. */
function responseIn(text: string): NodeMessage | undefined {
  const bytes = Buffer.from(text, 'latin1');
  const parser = new HeadParser('response');
  const body = new BodyReader();
  if (parser.read(bytes, 0) !== 'done' || parser.status < 200) return undefined;
  const answer = readAnswer('GET', parser);
  if ('refused' in answer) return undefined;
  body.begin(answer.length);
  if (body.read(bytes, parser.end) < 0 || !body.complete) return undefined;
  const { status, reason, httpVersion, headers } = parser;
  const data = bytes.toString('latin1', body.from, body.to);
  return { start: [String(status), reason], httpVersion, headers, body: data, complete: true };
}
