/** HAProxy's words for its check status codes: the `check_desc` column, and the reason in its log lines. */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  INI: 'Initializing',
  SOCKERR: 'Socket error',
  L4OK: 'Layer4 check passed',
  L4CON: 'Layer4 connection problem',
  L4TOUT: 'Layer4 timeout',
  L6RSP: 'Layer6 invalid response',
  L6TOUT: 'Layer6 timeout',
  L7OK: 'Layer7 check passed',
  L7RSP: 'Layer7 invalid response',
  L7STS: 'Layer7 wrong status',
  L7TOUT: 'Layer7 timeout',
  HANA: 'Health analyze',
  PROCOK: 'External check passed',
  PROCERR: 'External check error',
  PROCTOUT: 'External check timeout',
};

/** `Layer4 connection problem` for L4CON; a code HAProxy does not have stands for itself. */
export function describeCode(code: string): string {
  return DESCRIPTIONS[code] ?? code;
}
