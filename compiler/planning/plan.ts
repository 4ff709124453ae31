/** A plan: which region of which operator runs on which device, and how what crosses is encoded. JSON, hand-editable; the only thing between planner and passes. */
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
/** What float32 holds. */
const bound = z.number().min(-3.4028234e38).max(3.4028234e38);
const range = z.tuple([bound, bound]).refine(([min, max]) => min <= max, 'the first is above the second');
/**
 * How the elements of a float32 tensor cross: as float16, or as the nearest of 256 numbers from the least to the largest, which
 * are the same for the whole tensor or each index of an axis has its own.
 */
const encoding = z.union(
  [
    z.literal('float16'),
    z.strictObject({ int8: range }),
    z.strictObject({
      int8PerChannel: z.strictObject({ axis: z.int().nonnegative(), ranges: z.array(range).min(1) }),
    }),
  ],
  'an encoding is "float16", { "int8": [least, largest] } or { "int8PerChannel": { "axis": 1, "ranges": [[least, largest], …] } }',
);
const content = z.strictObject({
  format: z.literal(1),
  /** The model's name, for people. */
  model: z.string(),
  /** Who made it. */
  policy: z.string(),
  /** What the order of its steps is to be good at; left out: latency. */
  objective: z.enum(['latency', 'throughput']).optional(),
  /** By operator name; a device name alone means the whole operator there. */
  operators: z.record(z.string(), z.union([z.string(), z.array(part).min(1)])),
  /** By tensor name, of those that cross between devices; the others cross as they are. */
  encodings: z.record(z.string(), encoding).optional(),
  /** How far outputs may be off for it, as a share of the output's largest magnitude. */
  maxRelativeError: z.number().nonnegative().optional(),
});
const file = content.refine(
  ({ encodings = {}, maxRelativeError }) => maxRelativeError !== undefined || Object.keys(encodings).length === 0,
  { path: ['maxRelativeError'], message: 'encodings are inexact: say how far outputs may be off' },
);

export type PlanPart = z.infer<typeof part>;
export type Range = z.infer<typeof range>;
export type Encoding = z.infer<typeof encoding>;
export type Plan = z.infer<typeof content>;
export type PlanObjective = NonNullable<Plan['objective']>;

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

/** `{`, a line an entry, `}`. */
function formatLines<T>(entries: Readonly<Record<string, T>>, format: (value: T) => string): string {
  const lines = Object.entries(entries).map(([name, value]) => `    ${JSON.stringify(name)}: ${format(value)}`);
  return `{\n${lines.join(',\n')}\n  }`;
}

const formatParts = (parts: Plan['operators'][string]): string =>
  typeof parts === 'string' ? JSON.stringify(parts) : `[${parts.map((p) => JSON.stringify(p)).join(', ')}]`;

/** One operator a line, so that plans can be read and diffed. */
export function formatPlan({ format, model, policy, objective, maxRelativeError, encodings, operators }: Plan): string {
  const fields = [
    ...Object.entries({ format, model, policy, objective, maxRelativeError }).flatMap(([key, value]) =>
      value === undefined ? [] : [`"${key}": ${JSON.stringify(value)}`],
    ),
    ...(encodings ? [`"encodings": ${formatLines(encodings, (one) => JSON.stringify(one))}`] : []),
    `"operators": ${formatLines(operators, formatParts)}`,
  ];
  return `{\n${fields.map((field) => `  ${field}`).join(',\n')}\n}\n`;
}
