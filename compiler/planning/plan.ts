/** A plan: which region of which operator runs on which device. JSON, hand-editable; the only thing between planner and passes. */
import { z } from 'zod';
import { CompileError } from '../error.ts';
import { describeIssues } from '../issues.ts';

const part = z.strictObject({
  device: z.string(),
  /** Region of the first output, as in dumps: `[:,:,0:56,:]`. Left out: whole. */
  region: z.string().optional(),
  /** Spans of reduce letters: `{ "c": "0:32" }`; the parts of one region are summed (or max, …). */
  reduce: z.record(z.string(), z.string().regex(/^\d+:\d+$/, 'a span is begin:end')).optional(),
});
const file = z.strictObject({
  format: z.literal(1),
  /** The model's name, for people. */
  model: z.string(),
  /** Who made it. */
  policy: z.string(),
  /** By operator name; a device name alone means the whole operator there. */
  operators: z.record(z.string(), z.union([z.string(), z.array(part).min(1)])),
});

export type PlanPart = z.infer<typeof part>;
export type Plan = z.infer<typeof file>;

/** @throws plan naming the field */
export function parsePlan(text: string, where = 'plan'): Plan {
  const fail = (message: string, cause?: unknown): never => {
    throw new CompileError('plan', message, {
      at: [where],
      cause,
      hint: 'compile writes a right one: build/plan.json',
    });
  };
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    return fail(`not JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  const result = file.safeParse(data);
  if (result.success) return result.data;
  return fail(describeIssues(result.error));
}

/** One operator a line, so that plans can be read and diffed. */
export function formatPlan(plan: Plan): string {
  const operators = Object.entries(plan.operators).map(([name, parts]) => {
    const text =
      typeof parts === 'string' ? JSON.stringify(parts) : `[${parts.map((p) => JSON.stringify(p)).join(', ')}]`;
    return `    ${JSON.stringify(name)}: ${text}`;
  });
  const { format, model, policy } = plan;
  const head = Object.entries({ format, model, policy }).map(
    ([key, value]) => `  "${key}": ${JSON.stringify(value)},\n`,
  );
  return `{\n${head.join('')}  "operators": {\n${operators.join(',\n')}\n  }\n}\n`;
}
