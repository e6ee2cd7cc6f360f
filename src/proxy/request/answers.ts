import type { ErrorCode, VaneError } from '../../core/errors.ts';
import type { LocalResponse } from '../lanes/lane.ts';

/** What HAProxy says with each of its own answers; others get a plain sentence. */
const SENTENCES: Readonly<Record<number, readonly [title: string, sentence: string]>> = {
  400: ['Bad request', 'Your browser sent an invalid request.'],
  401: ['Unauthorized', 'You need a valid user and password to access this content.'],
  403: ['Forbidden', 'Request forbidden by administrative rules.'],
  404: ['Not Found', 'The resource could not be found.'],
  405: ['Method Not Allowed', 'A request was made of a resource using a request method not supported.'],
  408: ['Request Time-out', "Your browser didn't send a complete request in time."],
  410: ['Gone', 'The resource is no longer available and will not be available again.'],
  413: ['Payload Too Large', 'The request entity exceeds the maximum allowed.'],
  417: ['Expectation Failed', 'Your browser expects something that is not supported.'],
  429: ['Too Many Requests', 'You have sent too many requests in a given amount of time.'],
  431: ['Request Header Fields Too Large', 'The head of your request is too large.'],
  500: ['Internal Server Error', 'An internal server error occurred.'],
  501: ['Not Implemented', 'The server does not support the functionality required.'],
  502: ['Bad Gateway', 'The server returned an invalid or incomplete response.'],
  503: ['Service Unavailable', 'No server is available to handle this request.'],
  504: ['Gateway Time-out', "The server didn't respond in time."],
};

/** Statuses that say by themselves that no body follows (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5). */
const BODYLESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** One of HAProxy's short HTML pages. */
export function errorAnswer(status: number, headers: readonly string[] = [], close = true): LocalResponse {
  if (BODYLESS.has(status))
    return { status, headers: ['cache-control', 'no-cache', ...headers], body: '', close };
  const [title, sentence] = SENTENCES[status] ?? [`Status ${status}`, 'The request was not served.'];
  return {
    status,
    headers: ['cache-control', 'no-cache', 'content-type', 'text/html', ...headers],
    body: `<html><body><h1>${status} ${title}</h1>\n${sentence}\n</body></html>\n`,
    close,
  };
}

/** What has no place now may have one when all that wait have had theirs, or left. */
const OVERLOAD: ReadonlySet<ErrorCode> = new Set(['QUEUE_FULL', 'QUEUE_TIMEOUT']);

/**
 * The answer to a request that failed, by the phase it failed in as HAProxy does; undefined: nobody to answer.
 * @param queueMs how long requests wait for a server at most
 */
export function failureAnswer(error: VaneError, queueMs = 0): LocalResponse | undefined {
  const status = statusOf(error);
  if (status === undefined) return undefined;
  // Clients whose connection is sound keep it: it was the server's fault. The reason is told only where
  // nothing could serve, for whoever looks for it.
  if (status === 503) {
    const later = OVERLOAD.has(error.code)
      ? ['retry-after', String(Math.max(1, Math.ceil(queueMs / 1000)))]
      : [];
    return errorAnswer(status, ['x-vane-reason', error.code, ...later], false);
  }
  return errorAnswer(status, [], status < 500);
}

function statusOf(error: VaneError): number | undefined {
  switch (error.code) {
    case 'CLIENT_ABORTED':
      return undefined;
    case 'CLIENT_TIMEOUT':
      return 408;
    case 'REQUEST_INVALID':
      return 400;
    case 'UPSTREAM_TIMEOUT':
      return 504;
    case 'UPSTREAM_CLOSED':
    case 'UPSTREAM_PROTOCOL':
    case 'UPSTREAM_STATUS':
      return 502;
    case 'INTERNAL':
      return 500;
    default:
      return 503;
  }
}
