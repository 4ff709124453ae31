/**
 * Recurrent layers cut along time: a chain of layers over consecutive steps, each beginning in the state in which the one
 * before it ends. Devices that hold layers one above the other then work as a pipeline: while the upper one does the first
 * steps, the lower one does the next. Exact. It runs when it is asked for, before the plan is made, so that the plan can
 * place the parts.
 *
 *     %y, %h = GRU(%x, %w, %r) {hidden_size=8} ; gru
 *
 *     %x@0:4 = Slice(%x, [0], [4], [0]) ; gru@0:4.input
 *     %y@0:4, %h@0:4 = GRU(%x@0:4, %w, %r) {hidden_size=8} ; gru@0:4
 *     %x@4:8 = Slice(%x, [4], [8], [0]) ; gru@4:8.input
 *     %y@4:8, %h = GRU(%x@4:8, %w, %r, , , %h@0:4) {hidden_size=8} ; gru@4:8
 *     %y = Concat(%y@0:4, %y@4:8) {axis=0} ; gru
 *
 * Left as they are: layers of both directions (the backward one begins where the forward one ends), of sequences of several
 * lengths, and with the batch first.
 */
import type { Attributes, Compute, Literal, Program, Tensor, Value } from '../compiler/ir/program.ts';
import { isKnown, tensorOf, wholeValue } from '../compiler/ir/program.ts';
import { length, type Span } from '../compiler/ir/region.ts';
import { definePass, type Pass } from '../compiler/pass.ts';

/** Numbers of the inputs that are initial states; the last ones are the outputs from number 1 on. */
const INITIAL: Readonly<Record<string, readonly number[]>> = { GRU: [5], LSTM: [5, 6], RNN: [5] };
const LENGTHS = 4;

const isReverse = ({ direction }: Attributes) => direction?.kind === 'string' && direction.value === 'reverse';

/** Of a layer that can be cut: the extents of its input [steps, batch, features] and of its state [1, batch, hidden]. */
interface Layer {
  readonly operator: Compute;
  readonly input: Tensor;
  readonly steps: number;
  readonly state: readonly number[];
}

function layerOf(program: Program<'imported'>, operator: Compute): Layer | undefined {
  const { type, domain, inputs, attributes } = operator;
  const { direction, layout, hidden_size: hidden } = attributes;
  if (domain !== '' || !Object.hasOwn(INITIAL, type) || inputs[LENGTHS] || inputs[0]?.kind !== 'value')
    return undefined;
  if (direction?.kind === 'string' && direction.value === 'bidirectional') return undefined;
  if (hidden?.kind !== 'int' || (layout?.kind === 'int' && layout.value !== 0)) return undefined;
  const input = tensorOf(program, inputs[0].tensor);
  if (!isKnown(input.shape)) return undefined;
  const [steps, batch] = input.shape;
  return { operator, input, steps: steps!, state: [1, batch!, hidden.value] };
}

/** As even as can be. */
function spansOf(steps: number, parts: number): Span[] {
  const border = (i: number) => Math.floor((steps * i) / parts);
  return Array.from({ length: parts }, (_, i): Span => [border(i), border(i + 1)]);
}

const int64 = (...data: number[]): Literal => ({ kind: 'literal', dtype: 'int64', shape: [data.length], data });

/** Steps of the input, as an operator of its own. */
function sliced(opset: number, input: Value, [begin, end]: Span): Pick<Compute, 'inputs' | 'attributes'> {
  if (opset >= 10) return { inputs: [input, int64(begin), int64(end), int64(0)], attributes: {} };
  const ints = (value: number) => ({ kind: 'ints', value: [value] }) as const;
  return { inputs: [input], attributes: { starts: ints(begin), ends: ints(end), axes: ints(0) } };
}

/** Collects the tensors and operators that take a layer's place. */
class Chain {
  readonly tensors: Tensor[] = [];
  readonly operators: Compute[] = [];

  constructor(
    private readonly program: Program<'imported'>,
    private readonly layer: Layer,
    private readonly parts: number,
  ) {}

  /** A tensor of this name that is not in the program yet. */
  private tensor(wanted: string, shape: readonly number[]): Value {
    let name = wanted;
    while (this.program.tensors.has(name)) name += '_';
    const tensor = { name, role: 'inner', dtype: this.layer.input.dtype, shape } as const;
    this.tensors.push(tensor);
    return wholeValue(tensor);
  }

  private add(origin: string, type: string, parts: Pick<Compute, 'inputs' | 'outputs' | 'attributes'>): void {
    this.operators.push({ kind: 'compute', device: null, domain: '', captures: [], origin, type, ...parts });
  }

  build(): this {
    const { operator, steps } = this.layer;
    const [output] = operator.outputs;
    const spans = spansOf(steps, this.parts);
    const made: (Value | null)[] = [];
    let states = INITIAL[operator.type]!.map((i) => operator.inputs[i] ?? null);
    const order = isReverse(operator.attributes) ? [...spans.keys()].reverse() : [...spans.keys()];
    for (const i of order) [made[i], states] = this.part(spans[i]!, states, i === order.at(-1));
    const pieces = made.filter((piece) => piece !== null);
    const axis = { axis: { kind: 'int', value: 0 } } as const;
    if (output) this.add(operator.origin, 'Concat', { inputs: pieces, outputs: [output], attributes: axis });
    return this;
  }

  /** The layer over some steps: what it makes of them, and the states it ends in. */
  private part(span: Span, states: Compute['inputs'], isLast: boolean): [Value | null, Value[]] {
    const { operator, input, state } = this.layer;
    const [first, ...last] = operator.outputs;
    const label = `@${span.join(':')}`;
    const x = this.tensor(`${input.name}${label}`, [length(span), ...(input.shape.slice(1) as number[])]);
    const opset = this.program.opsets[''] ?? 1;
    this.add(`${operator.origin}${label}.input`, 'Slice', { ...sliced(opset, wholeValue(input), span), outputs: [x] });
    const y = first ? this.tensor(`${first.tensor}${label}`, [length(span), ...state]) : null;
    const ends = states.map((_, i) => last[i]?.tensor ?? `${operator.origin}.state${i}`);
    const made = isLast ? last : ends.map((name) => this.tensor(`${name}${label}`, state));
    const initial = INITIAL[operator.type]!;
    const count = Math.max(operator.inputs.length, initial.at(-1)! + 1);
    const inputs = Array.from({ length: count }, (_, i) =>
      i === 0 ? x : initial.includes(i) ? states[initial.indexOf(i)]! : (operator.inputs[i] ?? null),
    );
    this.add(`${operator.origin}${label}`, operator.type, {
      inputs,
      outputs: [y, ...made],
      attributes: operator.attributes,
    });
    return [y, isLast ? [] : (made as Value[])];
  }
}

/** Cuts every recurrent layer that can be cut into at most so many parts. @param parts at least 1 */
export const unrollRecurrence = (parts: number): Pass<'imported'> =>
  definePass({
    name: 'unroll-recurrence',
    stage: 'imported',
    run(program) {
      const tensors = new Map(program.tensors);
      const operators = program.operators.flatMap((operator) => {
        const layer = operator.kind === 'compute' ? layerOf(program, operator) : undefined;
        const most = Math.min(parts, layer?.steps ?? 0);
        if (!layer || most < 2) return [operator];
        const chain = new Chain(program, layer, most).build();
        for (const tensor of chain.tensors) tensors.set(tensor.name, tensor);
        return chain.operators;
      });
      return { ...program, tensors, operators };
    },
  });

/** Parts enough that all devices of a pipeline are busy most of the time. */
const PER_DEVICE = 4;

export default definePass({
  name: 'unroll-recurrence',
  stage: 'imported',
  run: (program, context) => unrollRecurrence(PER_DEVICE * context.cluster.devices.length).run(program, context),
});
