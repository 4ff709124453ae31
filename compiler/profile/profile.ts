/** A profile: what onnxruntime was measured to need on one device, by operator and sizes. A JSON file, reusable for other models. */
import { z } from 'zod';
import { CompileError } from '../error.ts';
import { describeIssues } from '../issues.ts';

/** Of the format: 2 since sessions and messages cost what the memory touched in between makes of them. */
const VERSION = 2;

/** A day for one operator is no measurement. */
const seconds = z.number().min(0).max(86_400);
const rate = z.number().positive().max(1e15);
/** Bytes of other memory that was touched since. */
const touched = z.number().min(0);

/** Figures by how much other memory was touched since the same was done before. */
const levels = <T extends z.ZodType<{ touched: number }>>(level: T) =>
  z
    .array(level)
    .min(1)
    .refine((all) => all.every((one, i) => i === 0 || one.touched > all[i - 1]!.touched), 'not ascending');

const point = z.strictObject({
  /** Extents of the letters that tiles differ in. */
  sizes: z.record(z.string(), z.int().min(0)),
  /** Multiply-adds of the leading operator. */
  work: z.number().min(0),
  /** Bytes that the leading operator reads and writes. */
  bytes: z.number().min(0),
  /** Of each operator of the chain; 0 for one that runs inside another's kernel. */
  seconds: z.array(seconds).min(1),
  /** Distance of the quartiles, as a share of the median. */
  spread: z.number().min(0),
  /** Seconds to bring its input into onnxruntime's blocked layout, where the chain wants that. */
  enter: seconds,
  /** Seconds to bring its output back, where the chain makes the blocked layout. */
  leave: seconds,
});
const chain = z.strictObject({
  /** Of inputs as they come into a session. */
  plain: z.array(point).min(1),
  /** Of inputs in the blocked layout, where that differs. */
  blocked: z.array(point),
});
const file = z.strictObject({
  format: z.literal('shardonnx-profile'),
  version: z.literal(VERSION),
  machine: z.strictObject({
    cpu: z.string(),
    architecture: z.string(),
    platform: z.string(),
    onnxruntime: z.string(),
    threads: z.int().positive(),
  }),
  /** Whose operators were measured. */
  models: z.array(z.string()),
  /** What a run of a session costs beside its operators. */
  session: z.strictObject({
    /** After another one. */
    after: levels(z.strictObject({ touched, seconds })),
    /** The same again and again. */
    alone: seconds,
    /** Bytes per second at which outputs are handed over. */
    outputs: rate,
  }),
  /** What keeps the device's program beside the link. */
  messages: z.strictObject({
    /** Seconds of the first message after a session. */
    after: levels(z.strictObject({ touched, send: seconds, receive: seconds })),
    /** Seconds of each further one. */
    further: z.strictObject({ send: seconds, receive: seconds }),
    /** Seconds by which a session is late since messages were sent before it: ZeroMQ's threads take its core if they have none. */
    pause: seconds,
  }),
  memory: z.strictObject({
    /** Bytes per second, read and written, at which onnxruntime joins and cuts tensors. */
    copy: rate,
    /** Seconds a byte of what is touched again; nothing where no other memory was touched. */
    cold: levels(z.strictObject({ touched, seconds: z.number().min(0).max(1) })),
  }),
  /** By key of the chain, see planning/costs/chains.ts. */
  chains: z.record(z.string(), chain),
});

export type Point = z.infer<typeof point>;
export type MeasuredChain = z.infer<typeof chain>;
export type Profile = z.infer<typeof file>;

const HINT = 'measure the device again: shardonnx profile MODEL -o profile.json';

const profileError = (message: string, where: string, hint = HINT, cause?: unknown): CompileError =>
  new CompileError('profile', message, { at: [where], hint, cause });

/** Of another version than this program reads, or nothing of ours at all. */
const head = z.object({ format: z.literal('shardonnx-profile'), version: z.number() });

/** @throws profile */
export function parseProfile(text: string, where = 'profile'): Profile {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw profileError(`not JSON: ${cause instanceof Error ? cause.message : cause}`, where, HINT, cause);
  }
  const known = head.safeParse(data);
  if (!known.success)
    throw profileError('no profile of shardonnx', where, `${HINT}, or name a table that ends in .csv`);
  if (known.data.version !== VERSION) {
    throw profileError(`version ${known.data.version}, this program reads version ${VERSION}`, where);
  }
  const result = file.safeParse(data);
  if (!result.success) throw profileError(describeIssues(result.error), where);
  const wrong = Object.entries(result.data.chains).find(
    ([, { plain, blocked }]) => !isOneChain([...plain, ...blocked]),
  );
  if (wrong) throw profileError(`chains.${wrong[0]}: points of different chains`, where);
  return result.data;
}

/** Points have the same letters and operators. */
function isOneChain(points: readonly Point[]): boolean {
  const letters = ({ sizes }: Point) => Object.keys(sizes).sort().join();
  const [first] = points;
  return points.every((one) => letters(one) === letters(first!) && one.seconds.length === first!.seconds.length);
}

/** Digits that a clock is worth. */
const DIGITS = 4;

const bySizes = (a: Point, b: Point): number => {
  for (const letter of Object.keys(a.sizes)) {
    const difference = b.sizes[letter]! - a.sizes[letter]!;
    if (difference !== 0) return difference;
  }
  return 0;
};

const sortedPoint = ({ sizes, ...rest }: Point) => ({
  sizes: Object.fromEntries(Object.entries(sizes).sort(([a], [b]) => (a < b ? -1 : 1))),
  ...rest,
});

/** One point a line; the same measurements make the same text. */
export function formatProfile({ chains, ...profile }: Profile): string {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, item) =>
      typeof item === 'number' && !Number.isInteger(item) ? Number(item.toPrecision(DIGITS)) : item,
    );
  const list = (points: readonly Point[]) => {
    const lines = points
      .map(sortedPoint)
      .sort(bySizes)
      .map((one) => `        ${text(one)}`);
    return lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n      ]`;
  };
  const entries = Object.keys(chains)
    .sort()
    .map((key) => {
      const { plain, blocked } = chains[key]!;
      return `    ${JSON.stringify(key)}: {\n      "plain": ${list(plain)},\n      "blocked": ${list(blocked)}\n    }`;
    });
  const fields = Object.entries(profile).map(([key, value]) => `  "${key}": ${text(value)},\n`);
  return `{\n${fields.join('')}  "chains": {\n${entries.join(',\n')}\n  }\n}\n`;
}
