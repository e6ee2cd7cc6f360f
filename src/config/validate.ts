import { findingsOf, wordIssue } from './issues.ts';
import type { Finding, Problem } from './problem.ts';
import { type UserConfig, userConfig } from './schema/user-config.ts';
import { locate, nodeAt, prune, type Tree, toPlain } from './tree.ts';

/** What a file says, as far as it is valid: the rest is among the problems. */
export interface Validated {
  /** Without the parts that have problems; undefined when nothing is left. */
  readonly user: UserConfig | undefined;
  /** The tree that `user` was read from: its paths are those of `user`. */
  readonly tree: Tree;
  readonly problems: readonly Problem[];
}

/**
 * Checks every value for itself. What is wrong is cut out and the rest read again, so that the checks that
 * come after can judge what is right: the user hears of everything at once. What is found missing only because
 * it was cut out is not told.
 */
export function validate(tree: Tree): Validated {
  const problems: Problem[] = [];
  let rest = tree;
  for (let first = true; ; first = false) {
    const result = userConfig.safeParse(toPlain(rest), { error: wordIssue, reportInput: true });
    if (result.success) return { user: result.data, tree: rest, problems };
    const findings = result.error.issues.flatMap((issue) => findingsOf(issue));
    if (first) problems.push(...findings.map((finding) => locate(rest, finding)));
    const smaller = prune(rest, new Set(findings.map((finding) => faulty(rest, finding))));
    if (!smaller) return { user: undefined, tree: rest, problems };
    rest = smaller;
  }
}

/** What has to go: the node itself, or the one that lacks it. */
function faulty(tree: Tree, { path }: Finding): Tree {
  for (let depth = path.length; depth > 0; depth--) {
    const node = nodeAt(tree, path.slice(0, depth));
    if (node) return node;
  }
  return tree;
}
