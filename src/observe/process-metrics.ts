import { collectDefaultMetrics, Registry } from 'prom-client';

let registry: Registry | undefined;

/**
 * prom-client's own metrics of the process and of Node, `process_*` and `nodejs_*`, as text. One set for the whole
 * process, begun when it is first asked for: prom-client watches the event loop and the garbage collector for
 * them and has no way to stop doing so. Neither keeps the process alive.
 */
export async function processMetrics(): Promise<string> {
  if (!registry) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
  }
  const text = await registry.metrics();
  // Not how the format spells it; a mean without samples is one.
  return text.replace(/ Nan$/gm, ' NaN');
}
