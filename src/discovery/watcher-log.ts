import type { Log } from '../core/log.ts';
import type { WatcherEvent } from './watcher-state.ts';

interface Line {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: object;
}

/**
 * Writes the one line that an event is worth.
 * @param servers in the set in force; undefined while nothing is known
 */
export function logWatcherEvent(
  log: Log,
  name: { readonly domain: string; readonly resolvers: string },
  event: WatcherEvent,
  servers: number | undefined,
): void {
  const { level, message, fields } = lineOf(event, servers !== undefined);
  log[level]({ ...name, ...fields, servers }, message);
}

function lineOf(event: WatcherEvent, known: boolean): Line {
  switch (event.kind) {
    case 'failing': {
      const { code, message: error } = event.error;
      const message = known ? 'name not resolved, its servers stay' : 'name not resolved yet';
      return { level: 'warn', message, fields: { code, error } };
    }
    case 'recovered':
      return { level: 'info', message: 'name resolved again', fields: { after: event.after } };
    case 'kept':
      return { level: 'warn', message: 'name has no servers, the last ones are kept', fields: {} };
    case 'refilled':
      return { level: 'info', message: 'name has servers again', fields: {} };
    case 'gap': {
      const { code, message: error } = event.error;
      const message = 'name resolved in part, the rest stays as it was';
      return { level: 'warn', message, fields: { code, error } };
    }
    case 'whole':
      return { level: 'info', message: 'name resolved in whole again', fields: {} };
  }
}
