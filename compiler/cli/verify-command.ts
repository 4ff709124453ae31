/** `shardonnx verify`: a build's outputs against onnxruntime's on the whole model. */
import type { Command } from 'commander';
import { openBundle } from '../../runtime/index.ts';
import { type Comparison, tolerance } from '../compare.ts';
import { inputOption, positive, transportOption } from './flags.ts';
import { readInputs } from './inputs.ts';
import { type OutputOptions, printResult } from './output.ts';
import { compareWithReference, formatComparison } from './reference.ts';

interface Options extends OutputOptions {
  readonly input: readonly string[];
  readonly transport: 'memory' | 'tcp';
  readonly rtol: number;
  readonly atol: number;
}

/** Runs a build once. */
export async function runOnce(build: string, transport: 'memory' | 'tcp', given: readonly string[]) {
  const bundle = await openBundle(build, { transport });
  try {
    const inputs = await readInputs(bundle.inputs, given);
    const { outputs } = await bundle.infer(inputs);
    return { inputs, outputs };
  } finally {
    await bundle.close();
  }
}

/** Compares a build with its model on one set of inputs. */
export async function verifyBuild(
  build: string,
  model: string,
  options: Pick<Options, 'input' | 'transport' | 'rtol' | 'atol'>,
): Promise<Comparison[]> {
  const { inputs, outputs } = await runOnce(build, options.transport, options.input);
  return compareWithReference(model, inputs, outputs, options);
}

async function run(build: string, model: string, options: Options): Promise<void> {
  const outputs = await verifyBuild(build, model, options);
  const ok = outputs.every((output) => output.ok);
  if (!ok) process.exitCode = 1;
  printResult(options, { ok, outputs }, outputs.map(formatComparison).join('\n'));
}

export const addVerify = (program: Command): void => {
  program
    .command('verify')
    .description("compare a build's outputs with onnxruntime's")
    .argument('<build>', 'build folder')
    .argument('<model>', 'the ONNX file it was compiled from')
    .addOption(inputOption())
    .addOption(transportOption('memory'))
    .option('--rtol <number>', 'of each expected element', positive('--rtol'), tolerance.rtol)
    .option('--atol <number>', "of each output's largest magnitude", positive('--atol'), tolerance.atol)
    .option('--json', 'print one JSON object')
    .action(run);
};
