/** What an operator can have a server be. */
export const SERVER_STATES = ['ready', 'drain', 'maint'] as const;
