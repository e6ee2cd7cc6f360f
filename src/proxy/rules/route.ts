import type { FrontendConfig } from '../../config/runtime.ts';
import { compileCondition, type Predicate, type Sample } from './condition.ts';

/** Names the backend of a request or connection; undefined: no rule applies and there is no default. */
export type Route = (sample: Sample) => string | undefined;

/** Makes `use_backend` and `default_backend` ready: the first rule whose condition holds decides. */
export function compileRoute(config: FrontendConfig): Route {
  const rules = config.useBackend.map(({ backend, condition }): readonly [string, Predicate] => [
    backend,
    compileCondition(condition),
  ]);
  return (sample) => rules.find(([, holds]) => holds(sample))?.[0] ?? config.defaultBackend;
}
