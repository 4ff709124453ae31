/** An ONNX model file → the imported program: whole operators over whole tensors, every shape known that can be. */
import type { Program } from '../ir/program.ts';
import { buildProgram } from './build.ts';
import { checkGraph } from './check.ts';
import { bindDimensions } from './dims.ts';
import { putTogether, takeApart } from './draft.ts';
import { extractWeights } from './extract.ts';
import { normalise } from './normalise.ts';
import { scanModel } from './scan.ts';

export interface ImportOptions {
  /** Sizes of free dimensions, by dim_param (`batch`) or by input and axis (`x:2`). */
  readonly dims?: Readonly<Record<string, number>>;
  /** Told what was assumed: a batch of 1. */
  readonly notice?: (message: string) => void;
}

export async function importModel(file: string, options: ImportOptions = {}): Promise<Program<'imported'>> {
  const draft = takeApart(file, scanModel(file));
  checkGraph(draft);
  const { draft: light, weights } = extractWeights(draft);
  const inputs = bindDimensions(file, light.inputs, options.dims ?? {}, options.notice ?? (() => {}));
  const bound = { ...light, inputs };
  const inners = bound.nodes.flatMap(({ proto }) => proto.output).filter((name) => name !== '');
  const normal = await normalise(putTogether(bound, inners));
  return buildProgram(bound, normal, weights);
}
