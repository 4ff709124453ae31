/** Are the shapes that onnxruntime infers, or takes from the model where it cannot, shapes that tensors can have? */
import { isKnown, type Program, type Shape, tensorOf } from '../ir/program.ts';
import { shapeInference, valueShape } from './errors.ts';
import { type ModelProto, toNumber } from './proto.ts';

/** Their output has the elements of their first input. */
const views: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);

/**
 * A window larger than what it slides over leaves a negative size, which onnxruntime does not mind. (-1 at an output may also be
 * how the model says that a size is not known.)
 * @throws shape-inference
 */
export function checkSizes(file: string, { graph }: ModelProto): void {
  const makers = new Map(graph!.node.flatMap((node) => node.output.map((name): [string, string] => [name, node.name])));
  for (const { name, type } of [...graph!.valueInfo, ...graph!.output]) {
    const sizes = type?.tensorType?.shape?.dim.map(({ dimValue }) => toNumber(dimValue)) ?? [];
    const axis = sizes.findIndex((size) => size < -1);
    if (axis < 0) continue;
    throw shapeInference(file, makers.get(name) || name, [name], `dimension ${axis} would be ${sizes[axis]}`);
  }
}

/** @throws value-shape */
export function checkShapes(file: string, program: Program<'imported'>): void {
  for (const { name, role, shape } of program.tensors.values()) {
    // The largest element has 16 bytes.
    const isTooBig = isKnown(shape) && ![...shape, elements(shape) * 16].every(Number.isSafeInteger);
    if (isTooBig) throw valueShape(file, `${role} "${name}"`, name, shape, 'no memory holds it');
  }
  for (const operator of program.operators) {
    if (operator.kind !== 'compute' || operator.domain !== '' || !views.has(operator.type)) continue;
    const [from, to] = [operator.inputs[0], operator.outputs[0]].map((value) =>
      value?.kind === 'value' ? tensorOf(program, value.tensor) : undefined,
    );
    if (!from || !to) continue;
    if (!isKnown(from.shape) || !isKnown(to.shape) || elements(from.shape) === elements(to.shape)) continue;
    const why = `it has ${elements(to.shape)} elements, and "${from.name}", of which it is a view, ${elements(from.shape)}`;
    throw valueShape(file, `node "${operator.origin}"`, to.name, to.shape, why);
  }
}

const elements = (shape: Shape): number => shape.reduce<number>((all, size) => all * (size ?? 1), 1);
