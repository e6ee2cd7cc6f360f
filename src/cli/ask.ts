import { messageOf, VaneError } from '../core/errors.ts';
import { hostPort } from '../health/network-errors.ts';
import { loadInForce } from './configuration/configuration.ts';

const ANSWER_WITHIN_MS = 5_000;

/** Listening on these is listening everywhere; they are no address to connect to. */
const EVERYWHERE: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/**
 * Asks the Vane that runs with this configuration, over its statistics address.
 * @param body sent as JSON by a POST; undefined: it is a GET
 * @returns the JSON of the answer, as whoever asked knows it to be
 */
export async function askVane(
  path: string,
  target: string,
  query: Readonly<Record<string, string>>,
  body?: object,
): Promise<unknown> {
  const { global } = await loadInForce(path);
  if (!global.stats) throw new VaneError('CONFIG_INVALID', `${path} says stats: off: nobody can be asked`);
  const { host, port } = global.stats.bind;
  const words = new URLSearchParams(query).toString();
  const at = `http://${hostPort(EVERYWHERE.get(host) ?? host, port)}`;
  const answer = await answerOf(`${at}${target}${words && `?${words}`}`, at, body);
  if (answer.ok) return await answer.json();
  // What it has to say about the question, or its surroundings, it says in one line.
  if (answer.status < 500 || answer.status === 503)
    throw new VaneError('REQUEST_INVALID', (await answer.text()).trim());
  throw new VaneError('UPSTREAM_PROTOCOL', `${at} answers ${answer.status}: is it Vane?`);
}

async function answerOf(url: string, at: string, body: object | undefined): Promise<Response> {
  const post = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  };
  try {
    return await fetch(url, {
      ...(body === undefined ? {} : post),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw new VaneError('CONNECT_FAILED', `${at} does not answer: ${messageOf(cause)}`, { cause: error });
  }
}
