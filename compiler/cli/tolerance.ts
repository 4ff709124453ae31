/** How close a build's outputs must come to onnxruntime's: as close as the numbers that the model computes in allow. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { halfTolerance, type Tolerance, tolerance } from '../compare.ts';
import { takeApart } from '../onnx/draft.ts';
import { type NodeProto, onnx, type ValueInfoProto } from '../onnx/proto.ts';
import { scanModel } from '../onnx/scan.ts';
import { readPlan } from './plan-file.ts';

const { FLOAT16, BFLOAT16 } = onnx.TensorProto.DataType;
const isHalf = (dataType: number | undefined): boolean => dataType === FLOAT16 || dataType === BFLOAT16;

const castsToHalf = ({ opType, attribute }: NodeProto): boolean =>
  opType === 'Cast' && attribute.some(({ name, i }) => name === 'to' && isHalf(Number(i)));

/** By the model's file: what has passed through half precision has no more digits, whatever it is given out as. */
export function toleranceOf(model: string): Tolerance {
  const { initializers, inputs, outputs, nodes } = takeApart(model, scanModel(model));
  const isHalfTensor = ({ type }: ValueInfoProto) => isHalf(type?.tensorType?.elemType);
  const half =
    initializers.some(({ dataType }) => isHalf(dataType)) ||
    [...inputs, ...outputs].some(isHalfTensor) ||
    nodes.some(({ proto }) => castsToHalf(proto));
  return half ? halfTolerance : tolerance;
}

/** What a build may differ by. */
export interface Allowed {
  readonly tolerance: Tolerance;
  /** That it was compiled with encodings, and what that means for the tolerance; for people. */
  readonly why?: string;
}

/** The model's, and on top what the build's plan allows for its encodings; what is given has the last word. @throws plan */
export async function allowedOf(build: string, model: string, given: Partial<Tolerance> = {}): Promise<Allowed> {
  const allowed = { ...toleranceOf(model), ...given };
  const file = join(build, 'plan.json');
  // A build can do without its plan; it is held to what an exact one is held to then.
  const { encodings = {}, maxRelativeError = 0 } = existsSync(file) ? await readPlan(file) : {};
  const count = Object.keys(encodings).length;
  if (count === 0) return { tolerance: allowed };
  const what = `compiled with ${count} tensor${count === 1 ? '' : 's'} encoded on the wire, --max-relative-error ${maxRelativeError}`;
  if (given.atol !== undefined) return { tolerance: allowed, why: `${what}, which does not count: --atol is given` };
  const tolerance = { ...allowed, atol: allowed.atol + maxRelativeError };
  return { tolerance, why: `${what}: that much of the largest magnitude is allowed on top` };
}

/** A line, or two. */
export const formatTolerance = ({ tolerance: { rtol, atol }, why }: Allowed): string =>
  `${why === undefined ? '' : `${why}\n`}allowed: ${rtol} of each element and ${atol} of the largest; more only up to ${STRAY} times as far as onnxruntime's own ` +
  'answers with and without its optimisations lie apart';

/** A split sums in another order than both of onnxruntime's own runs: it may stray from either as far as they from each other. */
export const STRAY = 2;
