import type { RuntimeConfig } from '../config/runtime/config.ts';
import type { Log } from '../core/log.ts';

/** Files that a process without any connection has open, and some for checks and look-ups. */
const RESERVE = 50;
/** A client's connection and one to a server. */
const PER_CONNECTION = 2;

/**
 * The configuration with `global.maxconn` as high as the limit on open files allows, as HAProxy does it (management
 * manual, section 5): beyond it connections could be accepted but not served.
 * @param limit files this process may have open (RLIMIT_NOFILE); undefined: not known
 */
export function withinOpenFiles(config: RuntimeConfig, limit: number | undefined, log: Log): RuntimeConfig {
  const { maxconn } = config.global;
  const possible =
    limit === undefined ? maxconn : Math.max(1, Math.floor((limit - RESERVE) / PER_CONNECTION));
  if (possible >= maxconn) return config;
  const fields = {
    maxconn: possible,
    configured: maxconn,
    openFiles: limit,
    wanted: maxconn * PER_CONNECTION + RESERVE,
  };
  const message = 'maxconn is lowered to what the limit on open files allows';
  // The default is more than most machines allow, and more than most of them need.
  if (possible < LITTLE) log.warn(fields, message);
  else log.info(fields, message);
  return {
    ...config,
    global: { ...config.global, maxconn: possible },
    mysqlVips: config.mysqlVips.map((vip) => ({ ...vip, maxconn: Math.min(vip.maxconn, possible) })),
  };
}

const LITTLE = 1_000;

/** The limit of this process; undefined where it is not told or there is none. */
export function openFilesLimit(): number | undefined {
  const report: unknown = process.report.getReport();
  const soft = at(at(at(report, 'userLimits'), 'open_files'), 'soft');
  const limit = Number(soft);
  return Number.isSafeInteger(limit) && limit > 0 ? limit : undefined;
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
