/** How close a build's outputs must come to onnxruntime's: as close as the numbers that the model computes in allow. */
import { halfTolerance, type Tolerance, tolerance } from '../compare.ts';
import { takeApart } from '../onnx/draft.ts';
import { type NodeProto, onnx, type ValueInfoProto } from '../onnx/proto.ts';
import { scanModel } from '../onnx/scan.ts';

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

/** One line. */
export const formatTolerance = ({ rtol, atol }: Tolerance): string =>
  `allowed: ${rtol} of each element and ${atol} of the largest; more only up to ${STRAY} times as far as onnxruntime's own ` +
  'answers with and without its optimisations lie apart';

/** A split sums in another order than both of onnxruntime's own runs: it may stray from either as far as they from each other. */
export const STRAY = 2;
