/** Operators whose channels come last run by the rule that has them second: their data are seen transposed. */
import type { Region } from '../ir/region.ts';
import { type Cut, isWhole, type Node, type Operand, type Rule } from './rule.ts';

/** [n, spatial.., c] → [n, c, spatial..]. */
const second = <T>(items: readonly T[]): T[] => [items[0]!, items.at(-1)!, ...items.slice(1, -1)];
/** [n, c, spatial..] → [n, spatial.., c]. */
const last = <T>(items: readonly T[]): T[] => [items[0]!, ...items.slice(2), items[1]!];

const seen = (operand: Operand | null | undefined): Operand | null =>
  operand ? { ...operand, shape: second(operand.shape) } : null;

/** Input 0 and output 0 have channels last; the notation says so too. */
function turned(cut: Cut): Cut {
  const [left, right] = cut.notation.split('->');
  const [data, ...rest] = left!.split(',');
  return {
    ...cut,
    notation: `${[last([...data!]).join(''), ...rest].join(',')}->${last([...right!]).join('')}`,
    outputs: [last(cut.outputs[0]!)],
    tile(spans) {
      const tile = cut.tile(spans);
      const [read, ...others] = tile.inputs;
      return {
        ...tile,
        inputs: [read && !('kind' in read) ? (last(read) as Region) : read!, ...others],
        ...(tile.crop ? { crop: last(tile.crop) } : {}),
      };
    },
  };
}

export const channelsLast =
  (rule: Rule): Rule =>
  (node: Node) => {
    const [data, ...inputs] = node.inputs;
    const cut = rule({ ...node, inputs: [seen(data), ...inputs], outputs: [seen(node.outputs[0])] });
    return isWhole(cut) ? cut : turned(cut);
  };
