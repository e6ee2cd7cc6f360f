import { describe, expect, test } from 'vitest';
import { BACKEND_COLUMNS } from '../../../src/observe/columns/backend.ts';
import { FRONTEND_COLUMNS } from '../../../src/observe/columns/frontend.ts';
import { SERVER_COLUMNS } from '../../../src/observe/columns/server.ts';
import type { Column } from '../../../src/observe/columns.ts';

// Every metric of HAProxy's exporter is either in our tables or named here as one that Vane has no value for, so
// that none is forgotten and none is made up.

/** Braces as in a shell: `{a,b}_x` is a_x and b_x. */
function expand(names: string): readonly string[] {
  return names
    .trim()
    .split(/\s+/)
    .flatMap((name) => expandOne(name));
}

function expandOne(name: string): readonly string[] {
  const [, before = '', inside, after = ''] = /^(.*?)\{(.*?)\}(.*)$/.exec(name) ?? [];
  if (inside === undefined) return [name];
  return inside.split(',').flatMap((word) => expandOne(`${before}${word}${after}`));
}

const FRONTEND = {
  all: expand(`
    current_sessions max_sessions limit_sessions sessions_total bytes_in_total bytes_out_total
    requests_denied_total responses_denied_total request_errors_total status current_session_rate
    limit_session_rate max_session_rate http_responses_total http_requests_rate_max http_requests_total
    http_comp_{bytes_in,bytes_out,bytes_bypassed,responses}_total connections_rate_max connections_total
    intercepted_requests_total denied_connections_total denied_sessions_total failed_header_rewriting_total
    http_cache_{lookups,hits,hint_hits}_total internal_errors_total {req,res}_bytes_{in,out}_total`),
  without: expand(`
    responses_denied_total limit_session_rate http_comp_{bytes_in,bytes_out,bytes_bypassed,responses}_total
    denied_sessions_total failed_header_rewriting_total http_cache_{lookups,hits,hint_hits}_total
    internal_errors_total {req,res}_bytes_{in,out}_total`),
};

const BACKEND = {
  all: expand(`
    current_queue max_queue current_sessions max_sessions limit_sessions sessions_total bytes_in_total
    bytes_out_total requests_denied_total responses_denied_total connection_errors_total response_errors_total
    retry_warnings_total redispatch_warnings_total status weight active_servers backup_servers
    check_up_down_total check_last_change_seconds downtime_seconds_total loadbalanced_total
    current_session_rate max_session_rate http_responses_total http_requests_total client_aborts_total
    server_aborts_total http_comp_{bytes_in,bytes_out,bytes_bypassed,responses}_total last_session_seconds
    {queue,connect,response,total}_time_average_seconds failed_header_rewriting_total connection_attempts_total
    connection_reuses_total http_cache_{lookups,hits,hint_hits}_total
    max_{queue,connect,response,total}_time_seconds internal_errors_total uweight agg_server_status
    agg_server_check_status agg_check_status {req,res}_bytes_{in,out}_total`),
  without: expand(`
    limit_sessions requests_denied_total responses_denied_total
    http_comp_{bytes_in,bytes_out,bytes_bypassed,responses}_total failed_header_rewriting_total
    http_cache_{lookups,hits,hint_hits}_total internal_errors_total {req,res}_bytes_{in,out}_total`),
};

const SERVER = {
  all: expand(`
    current_queue max_queue current_sessions max_sessions limit_sessions sessions_total bytes_in_total
    bytes_out_total responses_denied_total connection_errors_total response_errors_total retry_warnings_total
    redispatch_warnings_total status weight active backup check_failures_total check_up_down_total
    check_last_change_seconds downtime_seconds_total queue_limit current_throttle loadbalanced_total
    current_session_rate max_session_rate check_status check_code check_duration_seconds http_responses_total
    http_requests_total client_aborts_total server_aborts_total last_session_seconds
    {queue,connect,response,total}_time_average_seconds agent_status agent_code agent_duration_seconds
    failed_header_rewriting_total connection_attempts_total connection_reuses_total idle_connections_current
    idle_connections_limit max_{queue,connect,response,total}_time_seconds internal_errors_total
    {unsafe_idle,safe_idle,used,need,private_idle}_connections_current uweight {req,res}_bytes_{in,out}_total`),
  without: expand(`
    responses_denied_total queue_limit agent_code
    failed_header_rewriting_total idle_connections_limit internal_errors_total
    {unsafe_idle,safe_idle,need,private_idle}_connections_current {req,res}_bytes_{in,out}_total`),
};

/** The columns of `show stat`, of HAProxy's spelling. */
const CSV =
  `pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,
weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,
rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,
req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,
qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,
check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,
intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,
ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,
agg_server_check_status,agg_check_status,srid`.split(/,\s*/);

describe.each([
  ['frontend', FRONTEND, FRONTEND_COLUMNS],
  ['backend', BACKEND, BACKEND_COLUMNS],
  ['server', SERVER, SERVER_COLUMNS],
] as const)('%s', (_kind, names, table) => {
  const columns: readonly Pick<Column<never>, 'csv' | 'metric'>[] = table;

  test('every metric of HAProxy is told, or known to have no value here', () => {
    const told = columns.map(({ metric }) => metric);
    expect(names.all.filter((name) => !told.includes(name))).toEqual(names.without);
  });

  test('nothing is told under a name that HAProxy does not have', () => {
    expect(columns.filter(({ metric }) => !names.all.includes(metric))).toEqual([]);
    expect(columns.filter(({ csv }) => !CSV.includes(csv))).toEqual([]);
  });

  test('every column is there once', () => {
    const csv = columns.map((column) => column.csv);
    expect(csv).toEqual([...new Set(csv)]);
  });
});
