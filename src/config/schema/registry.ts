import { z } from 'zod';
import { isHostName } from '../address.ts';
import { parseDockerHost } from '../docker-host.ts';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import { datacenters } from './datacenters.ts';
import { dnsConfig, recursors } from './dns-config.ts';
import { redis, store } from './redis.ts';
import { registryAccess } from './registry-access.ts';
import { bind, host, listOf, orOff, parsedBy, whole } from './values.ts';

function parseDomain(text: string): Parsed<string> {
  const domain = text.toLowerCase().replace(/\.$/, '');
  return isHostName(domain)
    ? parsed(domain)
    : unparsed(`expected a DNS name such as consul, found ${JSON.stringify(text)}`);
}

/** Kept as it is written. */
function checkDockerHost(text: string): Parsed<string> {
  const endpoint = parseDockerHost(text);
  return endpoint.ok ? parsed(text) : endpoint;
}

export const registry = z.strictObject({
  http: orOff(bind())
    .optional()
    .describe('Address of the Consul HTTP API; off: none. Default: 127.0.0.1:8500.'),
  'http-max-conns-per-client': whole(1, 20_000)
    .optional()
    .describe(
      'Connections of one address to the HTTP API at once; each blocking query holds one (Consul: http_max_conns_per_client). Default: 1000.',
    ),
  dns: orOff(bind())
    .optional()
    .describe('Address of the Consul DNS, UDP and TCP; off: none. Default: 127.0.0.1:8600.'),
  ...registryAccess,
  domain: z
    .string()
    .transform(parsedBy(parseDomain))
    .optional()
    .describe('Zone that the DNS serves. Default: consul.'),
  'alt-domain': z
    .string()
    .transform(parsedBy(parseDomain))
    .optional()
    .describe('A second zone with the same names (Consul: alt_domain). Default: none.'),
  recursors,
  'dns-config': dnsConfig,
  datacenters,
  store,
  redis,
  services: listOf(z.string().min(1))
    .optional()
    .describe(
      'Files, and folders of files, with service and check definitions as Consul has them, in JSON, HCL or YAML. Default: none.',
    ),
  'script-checks': z
    .enum(['off', 'files', 'api'])
    .optional()
    .describe(
      'Whose checks may run programs on this machine. files: those of definition files; api: also those registered over HTTP. Default: off.',
    ),
  'external-checks': z
    .boolean()
    .optional()
    .describe(
      'Run the HTTP, TCP and UDP checks of nodes that are written into the catalog as external, as consul-esm does. One of the nodes that share the registry does. Default: false.',
    ),
  'docker-host': z
    .string()
    .transform(parsedBy(checkDockerHost))
    .optional()
    .describe(
      'Where the Docker Engine listens that runs Docker checks: unix:///path or tcp://host:port. Default: DOCKER_HOST of the environment, or unix:///var/run/docker.sock.',
    ),
  warning: z
    .enum(['passing', 'critical'])
    .optional()
    .describe(
      'What an instance counts as whose worst check is a warning, for backends, DNS and prepared queries. Default: passing, as in Consul.',
    ),
  'lenient-fields': z
    .boolean()
    .optional()
    .describe(
      'Pass over fields that Consul 1.9 does not know in bodies of requests, which newer clients send, instead of refusing them. Default: false.',
    ),
  'node-address': host()
    .optional()
    .describe(
      'Address of this node for services registered without one. Default: the address of http, or 127.0.0.1 when that is every address.',
    ),
});
