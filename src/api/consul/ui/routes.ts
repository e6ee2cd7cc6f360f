import { CONTENT_SECURITY_POLICY } from '../../page/style.ts';
import { type Answer, text } from '../answer.ts';
import type { ApiContext } from '../context.ts';
import { type Call, get, type Route } from '../route.ts';
import { absentPage, nodePage, nodesPage, servicePage, servicesPage } from './pages.ts';

/** What Consul has at the same place: the registry in a browser, read-only. It shows what the client's token may read. */
export function uiRoutes({ registry: { catalog } }: ApiContext): readonly Route[] {
  const one = (
    call: Call,
    what: string,
    read: (
      catalog: ApiContext['registry']['catalog'],
      rights: Call['rights'],
      name: string,
    ) => string | undefined,
  ) => {
    const found = read(catalog, call.rights, call.rest);
    return found === undefined ? shown(absentPage(catalog, `${what} ${call.rest}`), 404) : shown(found);
  };
  return [
    get('/ui/', (call) =>
      call.rest === ''
        ? shown(servicesPage(catalog, call.rights))
        : shown(absentPage(catalog, call.rest), 404),
    ),
    get('/ui/services/', (call) =>
      call.rest === '' ? shown(servicesPage(catalog, call.rights)) : one(call, 'Service', servicePage),
    ),
    get('/ui/nodes', (call) => shown(nodesPage(catalog, call.rights))),
    get('/ui/nodes/', (call) => one(call, 'Node', nodePage)),
  ];
}

function shown(page: string, status = 200): Answer {
  const headers = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': CONTENT_SECURITY_POLICY,
    'X-Content-Type-Options': 'nosniff',
  };
  return text(status, page, headers, 'text/html; charset=utf-8');
}
