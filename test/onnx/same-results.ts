/** Does an imported program, put together again, give what the model gives? */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import * as assert from 'uvu/assert';
import type { Program } from '../../compiler/ir/program.ts';
import { rebuild } from './rebuild.ts';

export type Feeds = Readonly<Record<string, OrtTensor>>;

async function run(model: Uint8Array | string, feeds: Feeds) {
  const options = { logSeverityLevel: 4 } as const;
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options));
  const results = await session.run(feeds);
  await session.release();
  return results;
}

/** Feeds of float32 for all inputs that `given` does not have. @param at the number at an index */
function feedsFor(program: Program<'imported'>, given: Feeds, at: (index: number) => number): Feeds {
  const feed = (name: string) => {
    const shape = program.tensors.get(name)!.shape.map(Number);
    const length = shape.reduce((product, size) => product * size, 1);
    return new OrtTensor(
      'float32',
      Float32Array.from({ length }, (_, i) => at(i)),
      shape,
    );
  };
  return Object.fromEntries(program.inputs.map((name) => [name, given[name] ?? feed(name)]));
}

/** What the model gives, and what the program gives, on the same inputs: 1, 2, 3 … unless `at` or `given` say otherwise. */
export async function bothResults(
  file: string,
  program: Program<'imported'>,
  given: Feeds = {},
  at: (index: number) => number = (i) => i + 1,
) {
  const feeds = feedsFor(program, given, at);
  return { expected: await run(file, feeds), actual: await run(await rebuild(program), feeds) };
}

/** Fails unless both give the very same. */
export async function sameResults(file: string, program: Program<'imported'>, given: Feeds = {}): Promise<void> {
  const { expected, actual } = await bothResults(file, program, given);
  for (const name of program.outputs) {
    assert.is(String(actual[name]!.dims), String(expected[name]!.dims), name);
    assert.is(String(actual[name]!.data), String(expected[name]!.data), name);
  }
}
