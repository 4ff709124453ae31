/** The split table: how each operator may be cut, or why it runs whole. */

import { alongFamily } from './along.ts';
import { attentionFamily } from './attention.ts';
import { attentionOfMicrosoftFamily } from './attention-microsoft.ts';
import { blockFamily } from './blocks.ts';
import { concatFamily } from './concat.ts';
import { convFamily } from './conv.ts';
import { convTransposeFamily } from './conv-transpose.ts';
import { einsumFamily } from './einsum.ts';
import { elementwiseFamily } from './elementwise.ts';
import { fusedFamily } from './fused.ts';
import { gatherFamily } from './gather.ts';
import { generateFamily } from './generate.ts';
import { layersOfMicrosoftFamily } from './layers-microsoft.ts';
import { learningFamily } from './learning.ts';
import { legacyFamily } from './legacy.ts';
import { lossFamily } from './loss.ts';
import { matmulFamily } from './matmul.ts';
import { movingOfMicrosoftFamily } from './moving-microsoft.ts';
import { never, neverDomains, neverOfLearning, neverOfMicrosoft } from './never.ts';
import { normalizationFamily } from './normalization.ts';
import { padFamily } from './pad.ts';
import { poolFamily } from './pool.ts';
import { quantizeFamily } from './quantize.ts';
import { quantizedLinearFamily } from './quantized-linear.ts';
import { quantizedProductFamily } from './quantized-product.ts';
import { recurrentFamily } from './recurrent.ts';
import { reduceFamily } from './reduce.ts';
import { regionFamily } from './regions.ts';
import { repeatFamily } from './repeat.ts';
import { resizeFamily } from './resize.ts';
import { rotaryFamily, rotaryOfMicrosoftFamily } from './rotary.ts';
import { type Cut, type Family, type Node, type Operand, type Rule, type Whole, whole } from './rule.ts';
import { scatterFamily } from './scatter.ts';
import { shapeFamily } from './shape.ts';
import { signalFamily } from './signal.ts';
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
  ...attentionFamily,
  ...rotaryFamily,
  ...legacyFamily,
  ...lossFamily,
  ...regionFamily,
  ...scatterFamily,
  ...signalFamily,
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

/** Operators of scikit-learn and its like → rule. */
const learningTable: Family = { ...learningFamily, ...neverOfLearning };

/** onnxruntime's own operators → rule. */
const microsoftTable: Family = {
  ...attentionOfMicrosoftFamily,
  ...fusedFamily,
  ...layersOfMicrosoftFamily,
  ...movingOfMicrosoftFamily,
  ...quantizedLinearFamily,
  ...quantizedProductFamily,
  ...rotaryOfMicrosoftFamily,
  ...neverOfMicrosoft,
};

/** Domain → operator → rule; '' is ONNX's own domain. */
export const splitTables: Readonly<Record<string, Family>> = {
  '': { ...splitTable, ...never },
  'ai.onnx.ml': learningTable,
  'com.microsoft': microsoftTable,
};

/** Rules that never look at their node: they say why before anything else does. */
const nevers: Readonly<Record<string, Family>> = {
  '': never,
  'ai.onnx.ml': neverOfLearning,
  'com.microsoft': neverOfMicrosoft,
};

const own = (table: Family | undefined, type: string): Rule | undefined =>
  table && Object.hasOwn(table, type) ? table[type] : undefined;

/**
 * How this operator may be cut.
 * @param domain '' or 'ai.onnx' for ONNX's own
 */
export function cutOf(node: Node, domain: string): Cut | Whole {
  const plain = domain === 'ai.onnx' ? '' : domain;
  if (Object.hasOwn(neverDomains, plain)) return whole(neverDomains[plain]!);
  const stays = own(nevers[plain], node.type);
  if (stays) return stays(node);
  const rule = own(splitTables[plain], node.type);
  if (!rule) return whole(`no rule for ${plain && `${plain}.`}${node.type} yet`);
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
