/** The program a log is of: its operators are the logged ones, its geometry is that of the zoo's model that fits. */
import type { Compute, Program, Tensor } from '../../../compiler/ir/program.ts';
import { wholeValue } from '../../../compiler/ir/program.ts';
import { families, type Geometry, geometryOf, skeleton } from './families.ts';
import { type Flow, logError, type Step } from './log.ts';
import { type Translated, type Translation, translations } from './operators.ts';

/** The name of a logged operator, and of its output. */
export const nameOf = ({ type, index }: Step): string => `${type}_${index}`;

const WEIGHTED = new Set(['conv2d', 'linear']);
/** The first version with Gelu. */
const OPSET = 20;

/** @throws operator-log */
function translationOf({ model }: Flow, { type, index, operands }: Step): Translation {
  const translation = translations[type];
  const known = Object.keys(translations).join(', ');
  if (!translation) throw logError(model, `operator ${index}: no ONNX operator for "${type}"`, `known are ${known}`);
  const { reads } = translation;
  if (reads !== 'any' && !reads.includes(operands.length))
    throw logError(
      model,
      `operator ${index} (${type}) reads ${operands.length} tensors`,
      `it reads ${reads.join(' or ')}`,
    );
  return translation;
}

/** Every step as an ONNX operator with this geometry, or where they differ first. */
function translateAll(flow: Flow, { layers }: Geometry): Translated[] | string {
  const next = new Map<string, number>();
  const translated: Translated[] = [];
  for (const step of flow.steps) {
    const { layer: kind, translate } = translationOf(flow, step);
    const at = next.get(kind ?? '') ?? 0;
    const layer = kind && layers.get(kind)?.[at];
    if (kind && !layer) return `has no ${kind} number ${at + 1} (operator ${step.index})`;
    next.set(kind ?? '', at + 1);
    const inputs = step.operands.map((operand) => (operand < 0 ? flow.input : flow.steps[operand]!.shape));
    const result = translate({ inputs, output: step.shape, layer: layer || undefined });
    if (typeof result === 'string') return `operator ${step.index} (${step.type}) ${result}`;
    translated.push(result);
  }
  return translated;
}

/** How many operators of each type both ways of writing the model have. */
function countsDiffer(flow: Flow, { layers }: Geometry): string | undefined {
  for (const type of new Set(Object.values(translations).flatMap(({ counted }) => counted ?? []))) {
    const logged = flow.steps.filter((step) => translationOf(flow, step).counted === type).length;
    const has = layers.get(type)?.length ?? 0;
    if (has !== logged) return `has ${has} ${type}, logged are ${logged}`;
  }
  return undefined;
}

export interface Match {
  /** The zoo's model. */
  readonly name: string;
  readonly operators: readonly Translated[];
}

/** This geometry for the log, or why it is another model's. */
export function fit(flow: Flow, geometry: Geometry): Match | string {
  const counts = countsDiffer(flow, geometry);
  if (counts) return counts;
  const operators = translateAll(flow, geometry);
  if (typeof operators === 'string') return operators;
  const vertices = flow.steps.map(({ type, operands }) => ({ operands, weighted: WEIGHTED.has(type) }));
  const [logged, has] = [skeleton(vertices), skeleton(geometry.vertices)];
  const at = Array.from({ length: Math.max(logged.length, has.length) }, (_, i) => i).find((i) => logged[i] !== has[i]);
  if (at === undefined) return { name: geometry.name, operators };
  return `its convolution or linear layer ${at} reads ${has[at]}, the logged one ${logged[at]}`;
}

/** @throws operator-log if no model of the families has the logged operators, with the reason for each */
export function match(flow: Flow): Match {
  const reasons: string[] = [];
  for (const build of families) {
    const geometry = geometryOf(build());
    const found = fit(flow, geometry);
    if (typeof found !== 'string') return found;
    reasons.push(`${geometry.name} ${found}`);
  }
  throw logError(flow.model, `is none of the zoo's models: ${reasons.join('; ')}`, 'add its builder to families.ts');
}

/** Weights have no bytes: nothing computes with them. */
const weight = (name: string, shape: readonly number[]): Tensor => ({
  name,
  role: 'weight',
  dtype: 'float32',
  shape,
  source: { kind: 'fill', bytes: new Uint8Array(4) },
});

export function programOf(flow: Flow, { operators }: Match): Program<'imported'> {
  const input: Tensor = { name: 'input', role: 'input', dtype: 'float32', shape: flow.input };
  const tensors = new Map<string, Tensor>([[input.name, input]]);
  const add = (tensor: Tensor): Tensor => {
    tensors.set(tensor.name, tensor);
    return tensor;
  };
  const made: Tensor[] = [];
  const computes = flow.steps.map((step, i): Compute => {
    const { type, attributes, weights } = operators[i]!;
    const name = nameOf(step);
    const own = weights.map((shape, n) => add(weight(`${name}.${n}`, shape)));
    const role = i === flow.steps.length - 1 ? 'output' : 'inner';
    made.push(add({ name, role, dtype: 'float32', shape: step.shape }));
    const inputs = [...step.operands.map((operand) => made[operand] ?? input), ...own].map(wholeValue);
    const outputs = [wholeValue(made[i]!)];
    return { kind: 'compute', origin: name, device: null, type, domain: '', attributes, inputs, outputs, captures: [] };
  });
  return {
    stage: 'imported',
    name: flow.model,
    irVersion: 9,
    opsets: { '': OPSET },
    tensors,
    inputs: [input.name],
    outputs: [made.at(-1)!.name],
    operators: computes,
    placement: null,
  };
}
