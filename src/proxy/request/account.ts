import type { Exchange } from '../lanes/lane.ts';
import { countWork } from '../plane/count.ts';
import { httpEntry } from './http-entry.ts';
import type { HttpRecord, HttpSite } from './http-record.ts';

/**
 * Accounts for a request that is over: counters of its frontend and backend, and a line of the access log.
 * @param now clock ms
 */
export function account(site: HttpSite, exchange: Exchange, record: HttpRecord, now: number): void {
  const { frontend, context } = site;
  const { bytesIn, bytesOut, startedAt } = exchange;
  const { backend, status, connectMs, responseMs, queuedMs = 0 } = record;
  const totalMs = now - startedAt;
  if (status !== undefined) frontend.tally.responses.add(status);
  frontend.tally.sessions.bin += bytesIn;
  frontend.tally.sessions.bout += bytesOut;
  if (backend) {
    countWork(backend.tally, { status, bytesIn, bytesOut, queuedMs, connectMs, responseMs, totalMs });
    backend.durations.add(totalMs);
  }
  const { accessLog } = frontend.config.options;
  if (accessLog !== 'off') context.access(httpEntry(accessLog, site, exchange, record, totalMs));
}
