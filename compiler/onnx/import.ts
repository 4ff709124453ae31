/** An ONNX model file → the imported program: whole operators over whole tensors, every shape known that can be. */
import type { Program } from '../ir/program.ts';
import { buildProgram } from './build.ts';
import { checkGraph } from './check.ts';
import { bindDimensions } from './dims.ts';
import { type Draft, putTogether, takeApart, withUniqueNodeNames } from './draft.ts';
import { valueInfo } from './encode.ts';
import { extractWeights } from './extract.ts';
import { explainFailure } from './failure.ts';
import { EndedError, RefusedError } from './guard/guard.ts';
import { normalise } from './normalise.ts';
import type { ModelProto } from './proto.ts';
import { scanModel } from './scan.ts';
import { checkShapes, checkSizes } from './shapes.ts';
import type { Weight } from './weights.ts';

export interface ImportOptions {
  /** Sizes of free dimensions, by dim_param (`batch`) or by input and axis (`x:2`). */
  readonly dims?: Readonly<Record<string, number>>;
  /** Told what was assumed: a batch of 1. */
  readonly notice?: (message: string) => void;
}

/**
 * A graph output that is an input or a weight of the model stays just that: its tensor's role is `input` or `weight`, and no operator
 * makes it. Weights the model never uses are left out.
 * @throws CompileError with one of the codes in errors.ts
 */
export async function importModel(file: string, options: ImportOptions = {}): Promise<Program<'imported'>> {
  const draft = takeApart(file, scanModel(file));
  checkGraph(draft);
  const { draft: light, weights } = extractWeights(withUniqueNodeNames(draft));
  const inputs = bindDimensions(file, light.inputs, options.dims ?? {}, options.notice ?? (() => {}));
  const model = await normalised({ ...light, inputs }, weights);
  checkSizes(file, model);
  const program = buildProgram({ ...light, inputs }, model, weights);
  checkShapes(file, program);
  return program;
}

async function normalised(light: Draft, weights: ReadonlyMap<string, Weight>): Promise<ModelProto> {
  const asInputs = [...weights.values()].map(({ name, dtype, shape }) => valueInfo(name, dtype, shape));
  const draft = { ...light, inputs: [...light.inputs, ...asInputs] };
  try {
    return await normalise(putTogether(draft));
  } catch (error) {
    if (error instanceof RefusedError || error instanceof EndedError) throw await explainFailure(draft, error);
    throw error;
  }
}
