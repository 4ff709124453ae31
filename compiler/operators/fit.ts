/** What keeps an operator's tensors from being cut whatever it computes, and inputs that have no elements. */
import type { Literal } from '../ir/program.ts';
import { type Cut, leavesOut, type Node, type Operand, type Whole, whole } from './rule.ts';

const isEmpty = ({ shape }: Operand) => shape.includes(0);
const literalTypes = ['int64', 'int32', 'float32'] as const;
const literalType = ({ tensor }: Operand) => literalTypes.find((dtype) => dtype === tensor.dtype);

/** Where inputs are joined, empty ones are left out; of axes, shapes and regions of interest `[]` is a value like others. */
function mayBeEmpty({ type, inputs }: Node, index: number): boolean {
  const input = inputs[index]!;
  return leavesOut(type) || (index > 0 && input.shape.length === 1 && literalType(input) !== undefined);
}

/** undefined: nothing. */
export function unfit(node: Node): Whole | undefined {
  const operands = [...node.inputs, ...node.outputs].filter((operand) => operand !== null);
  if (operands.some(({ tensor }) => tensor.dtype === null)) return whole('a dtype that never leaves its device');
  if (node.outputs.some((output) => output && isEmpty(output)))
    return whole('an output is empty: there is nothing to share');
  if (node.inputs.some((input, i) => input && isEmpty(input) && !mayBeEmpty(node, i)))
    return whole('an input is empty: there is nothing to share');
  return undefined;
}

/** A tile reads no empty region: an input without elements becomes a constant. */
export function withConstants(node: Node, cut: Cut): Cut {
  if (leavesOut(node.type) || !node.inputs.some((input) => input && isEmpty(input))) return cut;
  return {
    ...cut,
    tile(spans) {
      const tile = cut.tile(spans);
      const inputs = tile.inputs.map((read, i) => {
        const input = node.inputs[i];
        return read && input && isEmpty(input) ? nothing(input) : read;
      });
      return { ...tile, inputs };
    },
  };
}

const nothing = (operand: Operand): Literal => ({
  kind: 'literal',
  dtype: literalType(operand)!,
  shape: [0],
  data: [],
});
