import { freeAddresses } from './free-port.ts';

/** The variables that haproxy-examples/quickstart reads its addresses from. */
export interface Doors extends Readonly<Record<string, string>> {
  readonly VANE_FRONTEND: string;
  readonly VANE_STATS: string;
  readonly VANE_REGISTRY_HTTP: string;
  readonly VANE_REGISTRY_DNS: string;
}

/** Addresses for the quickstart that nobody listens on. */
export async function freeDoors(): Promise<Doors> {
  const [VANE_FRONTEND = '', VANE_STATS = '', VANE_REGISTRY_HTTP = '', VANE_REGISTRY_DNS = ''] =
    await freeAddresses(4);
  return { VANE_FRONTEND, VANE_STATS, VANE_REGISTRY_HTTP, VANE_REGISTRY_DNS };
}
