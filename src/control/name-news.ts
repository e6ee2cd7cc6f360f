import type { WatcherEvent } from '../discovery/watcher-state.ts';
import type { HistoryEvent } from './history.ts';

/** What is to be told in a backend's history when something happens to one of its names. */
export function nameNews(domain: string, event: WatcherEvent): Omit<HistoryEvent, 'at'> {
  const news = (source: HistoryEvent['source'], says: string, why: string) => ({ source, says, why });
  switch (event.kind) {
    case 'failing':
      return news('discovery', `${domain} does not resolve`, event.error.message);
    case 'recovered':
      return news('discovery', `${domain} resolves again`, `after ${seconds(event.after)}`);
    case 'stale': {
      const why = event.age === undefined ? 'never answered' : `last good answer ${seconds(event.age)} ago`;
      return news('discovery', `${domain} is stale`, why);
    }
    case 'kept': {
      const time = event.lasts === undefined ? '' : ` for ${seconds(event.lasts)}`;
      return news('guard', `${domain} has no servers`, `on-empty keeps the last ${event.servers}${time}`);
    }
    case 'refilled':
      return news('guard', `${domain} has servers again`, '');
    case 'unkept':
      return news('guard', `${domain} has had no servers for too long`, 'on-empty lets the last ones go');
    case 'held': {
      const why = `max-removal holds ${event.total} of them, more may go in ${seconds(event.lasts)}`;
      return news('guard', `${domain} has lost too many servers at once`, why);
    }
    case 'released':
      return news('guard', `${domain} has no servers held any more`, '');
    case 'hinted': {
      const why = `${event.servers} servers from ${seconds(event.age)} ago, which accept connections, are used`;
      return news('discovery', `${domain} is not resolved yet`, why);
    }
    case 'gap':
      return news('discovery', `${domain} resolves with a reservation`, event.error.message);
    case 'whole':
      return news('discovery', `${domain} resolves without reservation again`, '');
  }
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
