/** The split table: how each operator may be cut, or why it runs whole. */

import { alongFamily } from './along.ts';
import { blockFamily } from './blocks.ts';
import { concatFamily } from './concat.ts';
import { convFamily } from './conv.ts';
import { convTransposeFamily } from './conv-transpose.ts';
import { einsumFamily } from './einsum.ts';
import { elementwiseFamily } from './elementwise.ts';
import { gatherFamily } from './gather.ts';
import { generateFamily } from './generate.ts';
import { matmulFamily } from './matmul.ts';
import { normalizationFamily } from './normalization.ts';
import { padFamily } from './pad.ts';
import { poolFamily } from './pool.ts';
import { quantizeFamily } from './quantize.ts';
import { recurrentFamily } from './recurrent.ts';
import { reduceFamily } from './reduce.ts';
import { repeatFamily } from './repeat.ts';
import { resizeFamily } from './resize.ts';
import { type Cut, type Family, type Node, type Operand, type Whole, whole } from './rule.ts';
import { shapeFamily } from './shape.ts';
import { sliceFamily } from './slice.ts';
import { softmaxFamily } from './softmax.ts';
import { transposeFamily } from './transpose.ts';

/** Operator of ONNX's own domain → rule. */
export const splitTable: Family = {
  ...concatFamily,
  ...convFamily,
  ...convTransposeFamily,
  ...resizeFamily,
  ...padFamily,
  ...sliceFamily,
  ...gatherFamily,
  ...generateFamily,
  ...alongFamily,
  ...repeatFamily,
  ...blockFamily,
  ...quantizeFamily,
  ...einsumFamily,
  ...recurrentFamily,
  ...elementwiseFamily,
  ...matmulFamily,
  ...normalizationFamily,
  ...poolFamily,
  ...reduceFamily,
  ...shapeFamily,
  ...softmaxFamily,
  ...transposeFamily,
};

/** Operators that no rule will ever cut, and why. */
const NEVER: Readonly<Record<string, string>> = {
  ...reasons('control flow runs on one device', 'If Loop Scan SequenceMap'),
  ...reasons('random: a part is not what the whole would hold there', 'Bernoulli Multinomial'),
  ...reasons('random: a part is not what the whole would hold there', 'RandomNormal RandomNormalLike'),
  ...reasons('random: a part is not what the whole would hold there', 'RandomUniform RandomUniformLike'),
  ...reasons('its output has the size the data decides', 'Compress NonMaxSuppression NonZero Unique'),
  ...reasons('it tells about the whole tensor', 'Shape Size'),
  ...reasons('a constant', 'Constant EyeLike Range'),
  ...reasons('it quantizes by the extremes of the whole tensor', 'DynamicQuantizeLinear'),
};

function reasons(reason: string, types: string): Record<string, string> {
  return Object.fromEntries(types.split(' ').map((type) => [type, reason]));
}

/**
 * How this operator may be cut.
 * @param domain '' or 'ai.onnx' for ONNX's own
 */
export function cutOf(node: Node, domain: string): Cut | Whole {
  const own = domain === '' || domain === 'ai.onnx';
  if (own && Object.hasOwn(NEVER, node.type)) return whole(NEVER[node.type]!);
  const rule = own && Object.hasOwn(splitTable, node.type) ? splitTable[node.type]! : undefined;
  if (!rule) return whole(`no rule for ${own ? '' : `${domain}.`}${node.type} yet`);
  if (!node.outputs[0] && !Object.hasOwn(recurrentFamily, node.type)) return whole('its first output is not used');
  const operands = [...node.inputs, ...node.outputs].filter((operand) => operand !== null);
  return unfit(operands) ?? rule(node);
}

/** What keeps tensors from being cut, whatever the operator. */
function unfit(operands: readonly Operand[]): Whole | undefined {
  if (operands.some(({ tensor }) => tensor.dtype === 'string')) return whole('strings have no fixed size');
  if (operands.some(({ tensor }) => tensor.dtype === null)) return whole('a dtype that never leaves its device');
  if (operands.some(({ shape, constant }) => shape.includes(0) && !constant)) return whole('an operand is empty');
  return undefined;
}

export * from './rule.ts';
