import { type Parsed, parsed, unparsed } from './parsed.ts';

/** Where a Docker Engine listens. */
export interface DockerEndpoint {
  readonly at: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  /** In front of all paths of its API. */
  readonly basePath: string;
}

/**
 * `DOCKER_HOST` as Consul and Docker have it: `unix:///var/run/docker.sock`, `tcp://127.0.0.1:2375`. As in Consul, what is
 * behind `tcp://` is spoken to without TLS.
 */
export function parseDockerHost(text: string): Parsed<DockerEndpoint> {
  const socketPath = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (socketPath !== undefined) return parsed({ at: { socketPath }, basePath: '' });
  const tcp = /^tcp:\/\/(?:\[([^\]/]+)\]|([^:/[\]]+)):(\d{1,5})(\/[^?#\s]*)?$/.exec(text);
  const port = Number(tcp?.[3]);
  if (!tcp || port === 0 || port > 65535) {
    const found = JSON.stringify(text);
    return unparsed(
      `expected unix:///var/run/docker.sock or tcp://127.0.0.1:2375 or the like, found ${found}`,
    );
  }
  const at = { host: tcp[1] ?? tcp[2] ?? '', port };
  return parsed({ at, basePath: tcp[4]?.replace(/\/+$/, '') ?? '' });
}
