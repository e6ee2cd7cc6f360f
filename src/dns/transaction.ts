import type { Cancel } from '../core/clock.ts';
import type { ErrorCode } from '../core/errors.ts';
import { exchangeTcp, exchangeUdp, type Nameserver } from './exchange.ts';
import type { Count } from './nameserver-counters.ts';
import { buildQuery, type LookupType, type Reply, readReply } from './reply.ts';

/** A name and type as one nameserver is asked for it. */
export interface Asking {
  readonly name: string;
  readonly type: LookupType;
  /** EDNS0 size announced, bytes. */
  readonly payloadSize: number;
  /** A transaction id: 0 to 65535, not to be guessed. */
  readonly randomId: () => number;
}

/** How one nameserver answered, whichever ways it had to be asked. */
export type Outcome =
  | Extract<Reply, { kind: 'records' | 'nxdomain' }>
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly why: string };

/**
 * Asks one nameserver: over its own transport, again over TCP where the answer was cut short, again without
 * EDNS0 where that was not understood. Messages that do not answer this very query are ignored. Without a time
 * limit of its own: silence lasts until the returned function is called, which also ends every socket.
 *
 * @param overTcp sends a query over TCP
 */
export function askNameserver(
  nameserver: Nameserver,
  asking: Asking,
  done: (outcome: Outcome) => void,
  count: Count = () => {},
  overTcp = exchangeTcp,
): Cancel {
  let cancel: Cancel = () => {};
  const finish = (outcome: Outcome) => {
    cancel();
    done(outcome);
  };
  const send = (transport: 'udp' | 'tcp', edns: boolean) => {
    cancel();
    const query = buildQuery(
      asking.randomId(),
      asking.name,
      asking.type,
      edns ? asking.payloadSize : undefined,
    );
    count('sent');
    const exchange = transport === 'udp' ? exchangeUdp : overTcp;
    cancel = exchange(nameserver, query.wire, {
      onMessage(message) {
        const reply = readReply(message, query);
        if (!reply) {
          count('invalid');
          return;
        }
        // More than was announced is as good as cut short: what else in it is against the rules?
        const oversize = transport === 'udp' && edns && message.length > asking.payloadSize;
        if (oversize || reply.kind === 'truncated') {
          count(oversize ? 'tooBig' : 'truncated');
          if (transport === 'udp') send('tcp', edns);
          else finish({ kind: 'error', code: 'RESOLVE_FAILED', why: 'truncated over TCP' });
        } else if (reply.kind === 'no-edns') {
          if (edns) return send(transport, false);
          count('other');
          finish({ kind: 'error', code: 'RESOLVE_FAILED', why: 'query not understood' });
        } else {
          countReply(reply, count);
          finish(reply);
        }
      },
      onError(why, refused) {
        count('sendError');
        finish({ kind: 'error', code: refused ? 'RESOLVE_REFUSED' : 'RESOLVE_FAILED', why });
      },
    });
  };
  send(nameserver.transport, true);
  return () => cancel();
}

function countReply(reply: Exclude<Reply, { kind: 'truncated' | 'no-edns' }>, count: Count): void {
  if (reply.kind === 'records') {
    count('valid');
    if (reply.answers.some(({ type }) => type === 'CNAME')) count('cname');
  } else {
    count(reply.kind === 'nxdomain' ? 'nx' : reply.counts);
  }
}
