/** An operator log as LOPInfer's authors publish it, and what flows where: the trace lists storage, not values. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CompileError } from '../../../compiler/error.ts';
import { describeIssues } from '../../../compiler/issues.ts';

const operator = z.object({
  index: z.int().nonnegative(),
  /** PyTorch's name. */
  type: z.string(),
  inputs: z.array(z.int().nonnegative()),
  /** One an output; none: bookkeeping (`dim`, `size`). */
  shapes: z.array(z.array(z.int().positive())),
  robotMs: z.number().nonnegative(),
  serverMs: z.number().nonnegative(),
});
const file = z.object({ model: z.string(), operators: z.array(operator).min(3) });
type Logged = z.infer<typeof operator>;
export type Log = z.infer<typeof file>;

/** One operator on tensors. */
export interface Step {
  /** In the log. */
  readonly index: number;
  readonly type: string;
  /** Positions in `steps` of those whose values it reads; -1: the model's input. */
  readonly operands: readonly number[];
  readonly shape: readonly number[];
  /** Milliseconds on each device, bookkeeping that follows it included. */
  readonly robotMs: number;
  readonly serverMs: number;
}

/** Every step reads values of steps before it; the last one's value is the model's output. */
export interface Flow {
  readonly model: string;
  /** Shape of the only input. */
  readonly input: readonly number[];
  readonly steps: readonly Step[];
}

export const logError = (model: string, message: string, hint: string, cause?: unknown): CompileError =>
  new CompileError('operator-log', message, { at: [model], hint, cause });

/** @throws operator-log */
export function readLog(path: string): Log {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw logError(path, 'cannot be read as JSON', 'give a log with --operators', cause);
  }
  const result = file.safeParse(data);
  if (result.success) return result.data;
  throw logError(path, describeIssues(result.error), 'a log is { model, operators: [{ index, type, inputs, … }] }');
}

/** Operators that PyTorch may run in place, as the models of these families do. */
const MAY_BE_IN_PLACE = new Set(['relu', 'relu_', 'dropout', 'add_', 'mul_']);

/**
 * Values of a log. Where a tensor was changed in place, its readers name all operators that wrote it, oldest first:
 * `relu [3]` as operator 4, then `conv2d [3, 4]` reads one value, the relu's. A `cat [5, 14]` reads two: 14 did not write 5.
 */
class Versions {
  /** By index: all indices so far that share its storage, oldest first. */
  private readonly written = new Map<number, number[]>();

  constructor(private readonly operators: readonly Logged[]) {}

  /** The values an operator reads, each by the index of the last that wrote it. */
  read({ inputs }: Logged): number[] {
    // Sizes and other bookkeeping were written nowhere.
    const tensors = new Set(inputs.map((input) => this.written.get(input)).filter((indices) => indices !== undefined));
    return [...tensors].map((indices) => indices.at(-1)!);
  }

  write(operator: Logged): void {
    const own = this.isInPlace(operator) ? this.written.get(operator.inputs[0]!)! : [];
    own.push(operator.index);
    this.written.set(operator.index, own);
  }

  private isInPlace({ index, type, inputs: [first] }: Logged): boolean {
    const both = ({ inputs }: Logged) => first !== undefined && inputs.includes(first) && inputs.includes(index);
    return MAY_BE_IN_PLACE.has(type) && this.operators.some(both);
  }
}

/** @throws operator-log if an operator reads nothing that was made before it */
export function flowOf({ model, operators }: Log): Flow {
  const tensors = operators.filter(({ shapes }) => shapes.length > 0);
  const start = tensors.find(({ type }) => type === '_start');
  if (!start) throw logError(model, 'has no _start', 'its first operator is the input');
  const versions = new Versions(operators);
  const positions = new Map([[start.index, -1]]);
  const steps: Step[] = [];
  versions.write(start);
  for (const logged of operators) {
    const { index, type, shapes, robotMs, serverMs } = logged;
    if (type === '_start') continue;
    const last = steps.at(-1);
    if (type === '_end' || shapes.length === 0) {
      // Nothing of the model precedes the input's own bookkeeping.
      if (last)
        steps[steps.length - 1] = { ...last, robotMs: last.robotMs + robotMs, serverMs: last.serverMs + serverMs };
      continue;
    }
    const later = logged.inputs.find((input) => input >= index);
    if (later !== undefined)
      throw logError(
        model,
        `operator ${index} (${type}) reads ${later}, which comes later`,
        'list operators in execution order',
      );
    if (shapes.length > 1)
      throw logError(model, `operator ${index} (${type}) has ${shapes.length} outputs`, 'one is read');
    const operands = versions.read(logged).map((maker) => positions.get(maker)!);
    if (operands.length === 0) throw logError(model, `operator ${index} (${type}) reads nothing`, 'list its inputs');
    versions.write(logged);
    positions.set(index, steps.length);
    steps.push({ index, type, operands, shape: shapes[0]!, robotMs, serverMs });
  }
  return { model, input: start.shapes[0]!, steps };
}
