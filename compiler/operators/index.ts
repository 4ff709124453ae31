/** The split table: how each operator may be cut, or why it runs whole. */

import { alongFamily } from './along.ts';
import { attentionFamily } from './attention.ts';
import { attentionOfMicrosoftFamily } from './attention-microsoft.ts';
import { blockFamily } from './blocks.ts';
import { columnFamily } from './columns.ts';
import { concatFamily } from './concat.ts';
import { isConsistent } from './consistent.ts';
import { convFamily } from './conv.ts';
import { convTransposeFamily } from './conv-transpose.ts';
import { deformFamily } from './deform.ts';
import { einsumFamily } from './einsum.ts';
import { elementwiseFamily } from './elementwise.ts';
import { unfit, withConstants } from './fit.ts';
import { fusedFamily } from './fused.ts';
import { gatherFamily } from './gather.ts';
import { generateFamily } from './generate.ts';
import { layersOfMicrosoftFamily } from './layers-microsoft.ts';
import { learningFamily } from './learning.ts';
import { legacyFamily } from './legacy.ts';
import { lossFamily } from './loss.ts';
import { matmulFamily } from './matmul.ts';
import { movingOfMicrosoftFamily } from './moving-microsoft.ts';
import { asFamily, never, neverDomains, neverOfLearning, neverOfMicrosoft, type Reasons } from './never.ts';
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
import { type Cut, type Family, isWhole, type Node, type Whole, whole } from './rule.ts';
import { scatterFamily } from './scatter.ts';
import { shapeFamily } from './shape.ts';
import { signalFamily } from './signal.ts';
import { sliceFamily } from './slice.ts';
import { softmaxFamily } from './softmax.ts';
import { stringFamily } from './strings.ts';
import { transposeFamily } from './transpose.ts';

/** Operator of ONNX's own domain → rule. */
export const splitTable: Family = {
  ...concatFamily,
  ...convFamily,
  ...convTransposeFamily,
  ...columnFamily,
  ...deformFamily,
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
  ...stringFamily,
  ...transposeFamily,
};

/** Operators of scikit-learn and its like → rule. */
const learningTable: Family = { ...learningFamily, ...asFamily(neverOfLearning) };

/** onnxruntime's own operators → rule. */
const microsoftTable: Family = {
  ...attentionOfMicrosoftFamily,
  ...fusedFamily,
  ...layersOfMicrosoftFamily,
  ...movingOfMicrosoftFamily,
  ...quantizedLinearFamily,
  ...quantizedProductFamily,
  ...rotaryOfMicrosoftFamily,
  ...asFamily(neverOfMicrosoft),
};

/** Domain → operator → rule; '' is ONNX's own domain. */
export const splitTables: Readonly<Record<string, Family>> = {
  '': { ...splitTable, ...asFamily(never) },
  'ai.onnx.ml': learningTable,
  'com.microsoft': microsoftTable,
};

const nevers: Readonly<Record<string, Reasons>> = {
  '': never,
  'ai.onnx.ml': neverOfLearning,
  'com.microsoft': neverOfMicrosoft,
};

const own = <T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  table && Object.hasOwn(table, name) ? table[name] : undefined;

const plainDomain = (domain: string) => (domain === 'ai.onnx' ? '' : domain);

/** Why no rule will ever cut operators of this type, whatever they are given; undefined: one might. */
export function neverCut(type: string, domain: string): Whole | undefined {
  const plain = plainDomain(domain);
  const reason = own(neverDomains, plain) ?? own(own(nevers, plain), type);
  return reason === undefined ? undefined : whole(reason);
}

/**
 * How this operator may be cut.
 * @param domain '' or 'ai.onnx' for ONNX's own
 */
export function cutOf(node: Node, domain: string): Cut | Whole {
  const stays = neverCut(node.type, domain);
  if (stays) return stays;
  const plain = plainDomain(domain);
  const rule = own(own(splitTables, plain), node.type);
  if (!rule) return whole(`no rule for ${plain && `${plain}.`}${node.type} yet`);
  if (!node.outputs[0] && !Object.hasOwn(recurrentFamily, node.type)) return whole('its first output is not used');
  const reason = unfit(node);
  if (reason) return reason;
  const cut = rule(node);
  if (isWhole(cut)) return cut;
  const complete = withConstants(node, cut);
  return isConsistent(node, complete) ? complete : whole('its shapes or attributes do not fit together');
}

export * from './rule.ts';
