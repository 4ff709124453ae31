/** What a validation found, in one line: `links.0.bandwidth: "5" has no unit; …`. */
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

const depth = (issues: readonly Issue[]): number => Math.max(...issues.map(({ path }) => path.length));

/** Of the ways something may be written, the one that fits deepest is what was meant. */
function describe(issue: Issue, at: readonly PropertyKey[]): string[] {
  const path = [...at, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0 && issue.message === 'Invalid input') {
    const deepest = Math.max(...issue.errors.map(depth));
    const branches = issue.errors.filter((branch) => depth(branch) === deepest);
    const described = branches.map((branch) => branch.flatMap((one) => describe(one, path)));
    if (deepest > 0 || described.length === 1) return described[0]!;
    return [`${path.join('.')}: ${branches.map((branch) => branch[0]!.message).join(', or ')}`];
  }
  if (issue.code === 'invalid_key') return [`${path.join('.')}: ${issue.issues.map((one) => one.message).join(', ')}`];
  return [`${path.join('.') || 'file'}: ${issue.message}`];
}

export const describeIssues = (error: z.ZodError): string =>
  error.issues.flatMap((issue) => describe(issue, [])).join('; ');
