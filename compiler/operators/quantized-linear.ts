/** QLinear operators: by the rule of what they quantize; scales and zero points are read by every tile. */
import { isEmpty } from '../ir/region.ts';
import { channelsLast } from './channels-last.ts';
import { joinedAt } from './concat.ts';
import { conv } from './conv.ts';
import { globalPool, pool } from './pool.ts';
import { linear } from './quantize.ts';
import { axisLetters, byLetters, type Family, fromFront, int, type Rule, rightAligned, wholeAt } from './rule.ts';

/** Elementwise; `data`: the inputs that are no scale and no zero point. */
const quantizedElementwise =
  (...data: number[]): Rule =>
  (node) => {
    const letters = axisLetters(node.outputs[0]!.shape.length);
    return byLetters(node, {
      inputs: node.inputs.map((input, i) =>
        input ? (data.includes(i) ? rightAligned(letters, input.shape.length) : '*') : null,
      ),
      outputs: [letters],
    });
  };

/** Triples of data, scale and zero point after the output's scale and zero point: a tile reads those it overlaps. */
const quantizedConcat: Rule = (node) => {
  const rank = node.outputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis')!, rank);
  const letters = axisLetters(rank);
  const isData = (i: number) => i % 3 === 2;
  const joined = joinedAt(node.inputs.map((input, i) => (isData(i) ? input!.shape[axis]! : 0)));
  return byLetters(node, {
    inputs: node.inputs.map((_, i) => (isData(i) ? letters : '*')),
    outputs: [letters],
    windows: { [letters[axis]!]: joined },
    adjust: ({ inputs }) => {
      const isLeftOut = (i: number) => i >= 2 && isEmpty(inputs[i - ((i - 2) % 3)]!);
      return { inputs: inputs.map((read, i) => (isLeftOut(i) ? null : read)) };
    },
  });
};

/** Before opset 13, said by an attribute, all dimensions from the axis on are normalized together. */
const quantizedSoftmax: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const old = (int(node, 'opset') ?? 13) < 13;
  const axis = fromFront(int(node, 'axis') ?? (old ? 1 : -1), rank);
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [letters],
    whole: wholeAt(
      letters,
      old ? [...letters].map((_, i) => i).slice(axis) : [axis],
      'each element is weighed against all others along it',
    ),
  });
};

/** Channels come second, or last if the attribute says so. */
const eitherWay =
  (rule: Rule): Rule =>
  (node) =>
    (int(node, 'channels_last') === 1 ? channelsLast(rule) : rule)(node);

const ROUNDED = 'sums are rounded to few bits';

export const quantizedLinearFamily: Family = {
  DequantizeLinear: linear,
  QLinearAdd: quantizedElementwise(0, 3),
  QLinearAveragePool: eitherWay(pool),
  QLinearConcat: quantizedConcat,
  QLinearConv: eitherWay(conv({ weight: 3, bias: 8, perChannel: [4, 5], noSums: ROUNDED })),
  QLinearGlobalAveragePool: eitherWay(globalPool(() => null, ROUNDED)),
  QLinearLeakyRelu: quantizedElementwise(0),
  QLinearMul: quantizedElementwise(0, 3),
  QLinearSigmoid: quantizedElementwise(0),
  QLinearSoftmax: quantizedSoftmax,
  QLinearWhere: quantizedElementwise(0, 1, 4),
  QuantizeLinear: linear,
};
