/**
 * Operators that plans do not name: each device computes what it reads of them itself. Those that only weights decide cost no
 * transfer. DequantizeLinear makes a number of every byte: bytes are less to send, and onnxruntime computes on bytes wherever it
 * finds DequantizeLinear beside its reader, so it must be found beside every tile of the reader.
 */
import type { Compute, Program } from '../ir/program.ts';
import { isDequantize, writes } from '../ir/program.ts';

/** Why plans do not name an operator. */
export type Reason = 'only weights decide it' | 'bytes cross in its place';

export interface OnDemand {
  /** By name. */
  readonly onDemand: ReadonlyMap<string, Reason>;
  /** Of tensors that are made on demand, the tensor they are made of, element by element; null: of weights. */
  readonly sources: ReadonlyMap<string, string | null>;
}

/** @param constants operators that only weights decide */
export function onDemandOf(
  program: Program<'imported'>,
  operators: ReadonlyMap<string, Compute>,
  constants: ReadonlySet<string>,
): OnDemand {
  const onDemand = new Map<string, Reason>();
  const sources = new Map<string, string | null>();
  const isFixed = (input: Compute['inputs'][number]) =>
    input?.kind !== 'value' ||
    program.tensors.get(input.tensor)?.role === 'weight' ||
    sources.get(input.tensor) === null;
  for (const [name, operator] of operators) {
    const made = writes(operator).map(({ tensor }) => tensor);
    if (constants.has(name)) {
      onDemand.set(name, 'only weights decide it');
      for (const tensor of made) sources.set(tensor, null);
      continue;
    }
    const [bytes, ...parameters] = operator.inputs;
    // What the model gives out is somebody's to compute, like any other operator; what cannot cross stays where it is made.
    const isGiven = made.some((tensor) => program.outputs.includes(tensor));
    if (!isDequantize(operator) || bytes?.kind !== 'value' || !parameters.every(isFixed) || isGiven) continue;
    if (program.tensors.get(bytes.tensor)?.dtype === null) continue;
    onDemand.set(name, 'bytes cross in its place');
    for (const tensor of made) sources.set(tensor, bytes.tensor);
  }
  return { onDemand, sources };
}
