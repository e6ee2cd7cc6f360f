import type { IncomingMessage } from 'node:http';
import type { DockerEndpoint } from '../config/docker-host.ts';
import { http } from '../core/http.ts';
import { dialWords, isSystemError, systemWords } from './network-errors.ts';

/** What Docker's own commands use. */
export function usualDockerHost(): string {
  return process.env.DOCKER_HOST || 'unix:///var/run/docker.sock';
}

export interface EngineRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
}

/**
 * Asks a Docker Engine (https://docs.docker.com/reference/api/engine/). Its answer is ready to be read; it does not outlive
 * `signal`. Rejects with what went wrong before the answer began.
 */
export function askEngine(
  { at, basePath }: DockerEndpoint,
  { method, path, body }: EngineRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const asked = http.request(
      {
        ...at,
        method,
        path: `${basePath}${path}`,
        // A connection for each: `exec start` takes its own with it anyway.
        agent: false,
        signal,
        headers: {
          ...('socketPath' in at ? { Host: 'docker' } : {}),
          ...(content === undefined
            ? {}
            : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }),
        },
      },
      resolve,
    );
    // Kept to the end: an error while the answer is read is the answer's, too.
    asked.on('error', reject);
    asked.end(content);
  });
}

/** Why an engine could not be asked, in Go's words. */
export function engineWords(error: Error, { at }: DockerEndpoint): string {
  if (!isSystemError(error)) return error.message;
  if ('host' in at) return dialWords(error, at.host, at.port);
  return `dial unix ${at.socketPath}: connect: ${systemWords(error)}`;
}
