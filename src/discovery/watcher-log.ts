import type { Log } from '../core/log.ts';
import type { WatcherEvent } from './watcher-state.ts';

/** Of servers, in one line. */
const NAMES_SHOWN = 10;

interface Line {
  readonly level: 'info' | 'warn' | 'error';
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
  // The first of them has told of it.
  if (event.kind === 'held' && event.more) return;
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
    case 'stale': {
      const fields = event.age === undefined ? {} : { seconds: Math.round(event.age / 1000) };
      const message =
        servers === undefined
          ? 'name still not resolved: it has no servers'
          : 'name not resolved for long: its servers may not be right any more';
      return { level: 'error', message, fields };
    }
    case 'kept': {
      const fields = event.lasts === undefined ? {} : { seconds: Math.round(event.lasts / 1000) };
      return { level: 'warn', message: 'name has no servers, the last ones are kept', fields };
    }
    case 'unkept':
      return {
        level: 'error',
        message: 'name has had no servers for too long, the last ones go',
        fields: {},
      };
    case 'held': {
      const names = event.endpoints.slice(0, NAMES_SHOWN).map(({ name }) => name);
      const fields = { held: event.total, names, seconds: Math.ceil(event.lasts / 1000) };
      return { level: 'warn', message: 'name has lost too many servers at once, some are held', fields };
    }
    case 'released':
      return { level: 'info', message: 'name has no servers held any more', fields: {} };
    case 'hinted': {
      const fields = { seconds: Math.round(event.age / 1000) };
      return { level: 'warn', message: 'name not resolved yet, servers known from before are used', fields };
    }
    case 'refilled':
      return { level: 'info', message: 'name has servers again', fields: {} };
    case 'gap': {
      const { code, message: error } = event.error;
      const message = 'name resolved with a reservation';
      return { level: 'warn', message, fields: { code, error } };
    }
    case 'whole':
      return { level: 'info', message: 'name resolved without reservation again', fields: {} };
  }
}
