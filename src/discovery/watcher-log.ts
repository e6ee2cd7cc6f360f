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
  const { level, message, fields } = lineOf(event, servers);
  log[level]({ ...name, ...fields, servers }, message);
}

function lineOf(event: WatcherEvent, servers: number | undefined): Line {
  switch (event.kind) {
    case 'failing': {
      const { code, message: error } = event.error;
      const message = servers === undefined ? 'name not resolved yet' : 'name not resolved, its servers stay';
      return { level: 'warn', message, fields: { code, error } };
    }
    case 'recovered': {
      const fields = { seconds: Math.round(event.after / 1000) };
      if (servers === 0) return { level: 'warn', message: 'name resolved again, to no servers', fields };
      return { level: 'info', message: 'name resolved again', fields };
    }
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
