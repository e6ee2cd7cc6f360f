import type { CheckStatus } from '../../registry/model.ts';

/** One instance as it is to stand in a registry. */
export interface Entry {
  readonly id: string;
  readonly service: string;
  readonly tags: readonly string[];
  readonly address: string;
  readonly port: number;
}

/** What an instance is to show. */
export interface EntryState {
  readonly status: CheckStatus;
  readonly output: string;
}

/** A registry that shows instances. Rejects where what was asked may not have been done. */
export interface Instances {
  /** Whatever it was before, it is critical until it is told otherwise. */
  register(entry: Entry): Promise<void>;
  /** False: somebody has deregistered it. */
  report(id: string, state: EntryState): Promise<boolean>;
  /** One that is not there is no error. */
  deregister(id: string): Promise<void>;
}

/** Marks what a VIP has registered, so that what a crash left behind can be told from what others registered. */
export const VIP_META_KEY = 'vane-mysql-vip';

export function checkIdOf(id: string): string {
  return `service:${id}`;
}
