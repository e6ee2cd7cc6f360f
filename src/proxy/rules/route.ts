import type { FrontendConfig } from '../../config/runtime/frontends.ts';
import { compileCondition, type Sample } from './condition.ts';
import { RuleIndex } from './rule-index.ts';

/** Names the backend of a request or connection; undefined: no rule applies and there is no default. */
export type Route = (sample: Sample) => string | undefined;

/** Makes `use_backend` and `default_backend` ready: the first rule whose condition holds decides. */
export function compileRoute(config: FrontendConfig): Route {
  const { useBackend, defaultBackend } = config;
  const index = new RuleIndex(useBackend.map(({ condition }) => condition));
  const conditions = useBackend.map(({ condition }) => compileCondition(condition));
  return (sample) => {
    const rule = index.first(sample, (number) => conditions[number]?.(sample) === true);
    return rule === undefined ? defaultBackend : useBackend[rule]?.backend;
  };
}
