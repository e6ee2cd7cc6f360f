import type { Socket } from 'node:net';
import type { FrontendConfig } from '../../config/runtime/frontends.ts';
import { messageOf, type VaneError } from '../../core/errors.ts';
import type { PlaneContext } from '../plane/context.ts';
import type { Acceptor, LiveFrontend } from '../plane/live-frontend.ts';
import { compileRoute, type Route } from '../rules/route.ts';
import { clientAddress } from './client-address.ts';
import { TcpSession } from './session.ts';
import type { TcpSite } from './tcp-record.ts';

/** Serves the connections of one frontend in `mode tcp`. That they come and go is counted by who admits them. */
export class TcpAcceptor implements Acceptor, TcpSite {
  readonly frontend: LiveFrontend;
  readonly context: PlaneContext;
  route: Route;
  readonly #sessions = new Set<TcpSession>();

  constructor(frontend: LiveFrontend, context: PlaneContext) {
    this.frontend = frontend;
    this.context = context;
    this.route = compileRoute(frontend.config);
  }

  update(config: FrontendConfig): void {
    this.route = compileRoute(config);
  }

  serve(socket: Socket): void {
    const session = new TcpSession(this, socket, clientAddress(socket));
    this.#sessions.add(session);
    void session
      .run()
      .catch((thrown) => {
        const { name } = this.frontend;
        this.context.log.error(
          { frontend: name, error: messageOf(thrown) },
          'session could not be accounted for',
        );
      })
      .finally(() => this.#sessions.delete(session));
  }

  /** A TCP connection is doing something as long as it is open. */
  drain(): void {}

  cut(reason: VaneError): number {
    const underWay = this.#sessions.size;
    for (const session of [...this.#sessions]) session.stop(reason);
    return underWay;
  }
}
