import type { Script } from './dialogue.ts';

/**
 * Asks an agent: says what there is to be said, and reads one line (or all, where none ends) of what comes back. The
 * output is that line.
 */
export function agentScript(send: string): Script {
  const opening = send === '' ? undefined : Buffer.from(send);
  const talk = {
    opening,
    hear(received: Buffer, ended: boolean) {
      const end = received.indexOf(0x0a);
      if (end < 0 && !ended) return undefined;
      const line = received.toString('utf8', 0, end < 0 ? received.length : end).trim();
      return { good: line !== '', code: line === '' ? 'L7RSP' : 'L7OK', info: line };
    },
  };
  return () => talk;
}
