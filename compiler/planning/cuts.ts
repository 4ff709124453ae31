/** How each operator of an imported program may be cut, and which operators need no device of their own. */

import {
  type Compute,
  isKnown,
  type Literal,
  type Program,
  reads,
  tensorOf,
  type Value,
  writes,
} from '../ir/program.ts';
import { constantOf } from '../onnx/weights.ts';
import { cutOf, neverCut } from '../operators/index.ts';
import { type Cut, isWhole, type Node, type Operand, type Whole } from '../operators/rule.ts';
import { type OnDemand, onDemandOf } from './on-demand.ts';
import { roundedOf, withoutSums } from './rounded.ts';

const computes = (program: Program<'imported'>): Compute[] =>
  program.operators.filter((operator) => operator.kind === 'compute');

function operand(program: Program, value: Value | Literal | null): Operand | null | undefined {
  if (value === null) return null;
  if (value.kind === 'literal') {
    const { dtype, shape, data } = value;
    return { tensor: { name: '', role: 'inner', dtype, shape }, shape, constant: data };
  }
  const tensor = tensorOf(program, value.tensor);
  if (!isKnown(tensor.shape) || tensor.dtype === null) return undefined;
  const constant = tensor.role === 'weight' ? constantOf(tensor) : tensor.shape.includes(0) ? [] : undefined;
  return { tensor, shape: tensor.shape, ...(constant ? { constant } : {}) };
}

/** What rules see of an operator, or why no rule is asked. */
function nodeOf(program: Program<'imported'>, operator: Compute): Node | Whole {
  const never = neverCut(operator.type, operator.domain);
  if (never) return never;
  const inputs = operator.inputs.map((input) => operand(program, input));
  const outputs = operator.outputs.map((output) => operand(program, output));
  if (operator.captures.length > 0) return { whole: 'its subgraphs use outer values' };
  const isOpaque = ({ tensor }: Value) => tensorOf(program, tensor).dtype === null;
  if ([...reads(operator), ...writes(operator)].some(isOpaque))
    return { whole: 'a sequence, a map or a dtype that JavaScript lacks never leaves its device' };
  if (inputs.includes(undefined) || outputs.includes(undefined)) return { whole: 'a shape depends on the data' };
  return {
    name: operator.origin,
    type: operator.type,
    opset: program.opsets[operator.domain] ?? 1,
    attributes: operator.attributes,
    inputs: inputs as (Operand | null)[],
    outputs: outputs as (Operand | null)[],
  };
}

/** Equal for operators to which a rule says the same: all but names. */
function signatureOf({ name: _, inputs, outputs, ...rest }: Node, domain: string): string {
  const operands = [inputs, outputs].map((all) =>
    all.map((one) => one && { dtype: one.tensor.dtype, shape: one.shape, constant: one.constant }),
  );
  // JSON knows no infinity.
  return JSON.stringify([rest, domain, operands], (_, value) => (typeof value === 'number' ? String(value) : value));
}

/** How operators may be cut, by name; those of repeated blocks share one cut. */
function cutsByName(program: Program<'imported'>, operators: Iterable<Compute>): Map<string, Cut | Whole> {
  const shared = new Map<string, Cut | Whole>();
  const cuts = new Map<string, Cut | Whole>();
  for (const operator of operators) {
    const node = nodeOf(program, operator);
    if ('whole' in node) {
      cuts.set(operator.origin, node);
      continue;
    }
    const signature = signatureOf(node, operator.domain);
    const found = shared.get(signature) ?? cutOf(node, operator.domain);
    shared.set(signature, found);
    cuts.set(operator.origin, found);
  }
  return cuts;
}

export interface Cuts extends OnDemand {
  /** Imported operators in topological order, by unique name. */
  readonly operators: ReadonlyMap<string, Compute>;
  readonly cuts: ReadonlyMap<string, Cut | Whole>;
  /** Operators that only weights decide. */
  readonly constants: ReadonlySet<string>;
}

const known = new WeakMap<Program<'imported'>, Cuts>();

/** Computed once a program. */
export function cutsOf(program: Program<'imported'>): Cuts {
  const found = known.get(program);
  if (found) return found;
  const operators = new Map(computes(program).map((operator) => [operator.origin, operator]));
  const constants = new Set<string>();
  const varying = new Set(program.inputs);
  for (const operator of operators.values()) {
    const used = [...operator.inputs.filter((input) => input?.kind === 'value'), ...operator.captures];
    const random = /^(Random|Bernoulli|Multinomial)/.test(operator.type);
    if (!random && !used.some((value) => varying.has(value.tensor))) constants.add(operator.origin);
    else for (const output of operator.outputs) if (output) varying.add(output.tensor);
  }
  const cuts = cutsByName(program, operators.values());
  for (const { origin } of roundedOf(operators.values()).values()) cuts.set(origin, withoutSums(cuts.get(origin)!));
  const result = { operators, cuts, constants, ...onDemandOf(program, operators, constants) };
  known.set(program, result);
  return result;
}

/** Letters an output region can be cut along; empty for a whole operator. */
export const isCuttable = (cut: Cut | Whole): cut is Cut =>
  !isWhole(cut) && Object.values(cut.letters).some((letter) => letter.kind !== 'whole');

/** What a device must have to read these values: of what it computes on demand, what that is made of. Weights are left out. */
export function sourcesOf(program: Program<'imported'>, values: readonly Value[]): Value[] {
  const { sources } = cutsOf(program);
  return values.flatMap((value): Value[] => {
    const source = sources.get(value.tensor);
    if (source === null || tensorOf(program, value.tensor).role === 'weight') return [];
    return source === undefined ? [value] : sourcesOf(program, [{ ...value, tensor: source }]);
  });
}
