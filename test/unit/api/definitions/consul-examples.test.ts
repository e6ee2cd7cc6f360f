import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDefinitions } from '../../../../src/api/definitions/read-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-definitions-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function read(name: string, content: string) {
  writeFileSync(join(folder, name), content);
  const { services, checks } = await readDefinitions([name], { cwd: folder, scriptChecks: 'files' });
  // But for the file and the places in it, which are not the same in both.
  return [services.map(({ service, checks }) => ({ service, checks })), checks.map(({ check }) => check)];
}

/**
 * The examples of Consul's documentation that are in both languages: "Define services", "Define health checks". They are
 * given as they stand there, also where JSON has lists of one that HCL has as blocks.
 */
test.each<[string, string, object]>([
  [
    'a service',
    `service {
  name = "redis"
  id   = "redis"
  port = 80
  tags = ["primary"]
 
  meta = {
    custom_meta_key = "custom_meta_value"
  }
 
  tagged_addresses = {
    lan = {
      address = "192.168.0.55"
      port    = 8000
    }
 
    wan = {
      address = "198.18.0.23"
      port    = 80
    }
  }
}`,
    {
      service: [
        {
          id: 'redis',
          meta: [{ custom_meta_key: 'custom_meta_value' }],
          name: 'redis',
          port: 80,
          tagged_addresses: [
            {
              lan: [{ address: '192.168.0.55', port: 8000 }],
              wan: [{ address: '198.18.0.23', port: 80 }],
            },
          ],
          tags: ['primary'],
        },
      ],
    },
  ],
  [
    'several services',
    `services {
  id = "red0"
  name = "redis"
  tags = [
    "primary"
  ]
  address = ""
  port = 6000
  checks = [
    {
      args = ["/bin/check_redis", "-p", "6000"]
      interval = "5s"
      timeout = "20s"
    }
  ]
}
services {
  id = "red1"
  name = "redis"
  tags = [
    "delayed",
    "secondary"
  ]
  address = ""
  port = 7000
  checks = [
    {
      args = ["/bin/check_redis", "-p", "7000"]
      interval = "30s"
      timeout = "60s"
    }
  ]
}
`,
    {
      services: [
        {
          id: 'red0',
          name: 'redis',
          tags: ['primary'],
          address: '',
          port: 6000,
          checks: [{ args: ['/bin/check_redis', '-p', '6000'], interval: '5s', timeout: '20s' }],
        },
        {
          id: 'red1',
          name: 'redis',
          tags: ['delayed', 'secondary'],
          address: '',
          port: 7000,
          checks: [{ args: ['/bin/check_redis', '-p', '7000'], interval: '30s', timeout: '60s' }],
        },
      ],
    },
  ],
  [
    'several checks',
    `checks = [
  {
    id       = "chk1"
    name     = "mem"
    args     = ["/bin/check_mem", "-limit", "256MB"]
    interval = "5s"
  },
  {
    id       = "chk2"
    name     = "/health"
    http     = "http://localhost:5000/health"
    interval = "15s"
  },
  {
    id       = "chk3"
    name     = "cpu"
    args     = ["/bin/check_cpu"]
    interval = "10s"
  },
]`,
    {
      checks: [
        { id: 'chk1', name: 'mem', args: ['/bin/check_mem', '-limit', '256MB'], interval: '5s' },
        { id: 'chk2', name: '/health', http: 'http://localhost:5000/health', interval: '15s' },
        { id: 'chk3', name: 'cpu', args: ['/bin/check_cpu'], interval: '10s' },
      ],
    },
  ],
  [
    'a status to begin with',
    `check = {
  id = "mem"
  args = ["/bin/check_mem", "-limit", "256MB"]
  interval = "10s"
  status = "passing"
}`,
    {
      check: [{ args: ['/bin/check_mem', '-limit', '256MB'], id: 'mem', interval: '10s', status: 'passing' }],
    },
  ],
  [
    // Without tls_server_name and disable_redirects, which are newer than what Vane follows.
    'an HTTP check',
    `check = {
  id = "api"
  name = "HTTP API on port 5000"
  http = "https://localhost:5000/health"
  tls_skip_verify = false
  method = "POST"
  header = {
     Content-Type = ["application/json"]
  }
  body = "{\\"method\\":\\"health\\"}"
  interval = "10s"
  timeout = "1s"
}`,
    {
      check: {
        id: 'api',
        name: 'HTTP API on port 5000',
        http: 'https://localhost:5000/health',
        tls_skip_verify: false,
        method: 'POST',
        header: { 'Content-Type': ['application/json'] },
        body: '{"method":"health"}',
        interval: '10s',
        timeout: '1s',
      },
    },
  ],
  [
    'a TCP check',
    `check = {
  id = "ssh"
  name = "SSH TCP on port 22"
  tcp = "localhost:22"
  interval = "10s"
  timeout = "1s"
}`,
    {
      check: {
        id: 'ssh',
        name: 'SSH TCP on port 22',
        tcp: 'localhost:22',
        interval: '10s',
        timeout: '1s',
      },
    },
  ],
  [
    'a UDP check',
    `check = {
  id = "dns"
  name = "DNS UDP on port 53"
  udp = "localhost:53"
  interval = "10s"
  timeout = "1s"
}`,
    {
      check: {
        id: 'dns',
        name: 'DNS UDP on port 53',
        udp: 'localhost:53',
        interval: '10s',
        timeout: '1s',
      },
    },
  ],
  [
    'a TTL check',
    `check = {
  id = "web-app"
  name = "Web App Status"
  notes = "Web app does a curl internally every 10 seconds"
  ttl = "30s"
}`,
    {
      check: {
        id: 'web-app',
        name: 'Web App Status',
        notes: 'Web app does a curl internally every 10 seconds',
        ttl: '30s',
      },
    },
  ],
  [
    'a Docker check',
    `check = {
  id = "mem-util"
  name = "Memory utilization"
  docker_container_id = "f972c95ebf0e"
  shell = "/bin/bash"
  args = ["/usr/local/bin/check_mem.py"]
  interval = "10s"
}`,
    {
      check: {
        id: 'mem-util',
        name: 'Memory utilization',
        docker_container_id: 'f972c95ebf0e',
        shell: '/bin/bash',
        args: ['/usr/local/bin/check_mem.py'],
        interval: '10s',
      },
    },
  ],
  [
    'a gRPC check',
    `check = {
  id = "mem-util"
  name = "Service health status"
  grpc = "127.0.0.1:12345/my_service"
  grpc_use_tls = true
  interval = "10s"
}`,
    {
      check: {
        id: 'mem-util',
        name: 'Service health status',
        grpc: '127.0.0.1:12345/my_service',
        grpc_use_tls: true,
        interval: '10s',
      },
    },
  ],
  [
    'an alias check',
    `check = {
  id = "web-alias"
  alias_service = "web"
}`,
    { check: { id: 'web-alias', alias_service: 'web' } },
  ],
  [
    'a service whose tags others may change',
    `service {
  name = "redis"
  port = 6379
  enable_tag_override = true
}`,
    { service: { name: 'redis', port: 6379, enable_tag_override: true } },
  ],
])('Consul’s example of %s says the same in HCL and in JSON', async (_what, hcl, json) => {
  const inHcl = await read('example.hcl', hcl);
  expect(inHcl.flat()).not.toEqual([]);
  expect(inHcl).toEqual(await read('example.json', JSON.stringify(json)));
});

test('the examples of docs/configuration.md say the same', async () => {
  const docs = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');
  const example = (language: string) => {
    const found = docs.match(
      new RegExp(`\\*\\*Definition files\\.[^]*?\\n\`\`\`${language}\\n([^]*?)\`\`\`\\n`),
    );
    return found?.[1] ?? '';
  };
  const inHcl = await read('example.hcl', example('hcl'));
  expect(inHcl.flat()).toHaveLength(2);
  expect(inHcl).toEqual(await read('example.json', example('json')));
});
