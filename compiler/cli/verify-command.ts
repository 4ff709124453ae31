/** `shardonnx verify`: a build's outputs against onnxruntime's on the whole model. */
import type { Command } from 'commander';
import { openBundle } from '../../runtime/index.ts';
import { type Comparison, comparisonData, halfTolerance, type Tolerance, tolerance } from '../compare.ts';
import { inputOption, positive, transportOption } from './flags.ts';
import { readInputs } from './inputs.ts';
import { type OutputOptions, printResult } from './output.ts';
import { compareWithReference, formatComparison } from './reference.ts';
import { allowedOf, formatTolerance } from './tolerance.ts';

interface Options extends OutputOptions, Partial<Tolerance> {
  readonly input: readonly string[];
  readonly transport: 'memory' | 'tcp';
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
  { transport, input, ...given }: Pick<Options, 'input' | 'transport'> & Partial<Tolerance>,
): Promise<Comparison[]> {
  const { inputs, outputs } = await runOnce(build, transport, input);
  return compareWithReference(model, inputs, outputs, (await allowedOf(build, model, given)).tolerance);
}

async function run(build: string, model: string, options: Options): Promise<void> {
  const { transport, input, rtol, atol } = options;
  const given = { ...(rtol === undefined ? {} : { rtol }), ...(atol === undefined ? {} : { atol }) };
  const outputs = await verifyBuild(build, model, { transport, input, ...given });
  const ok = outputs.every((output) => output.ok);
  if (!ok) process.exitCode = 1;
  const allowed = await allowedOf(build, model, given);
  const text = [...outputs.map(formatComparison), formatTolerance(allowed)].join('\n');
  printResult(options, { ok, outputs: outputs.map(comparisonData), ...allowed }, text);
}

const or = (key: 'rtol' | 'atol'): string => `${tolerance[key]}, of float16 models ${halfTolerance[key]}`;

export const addVerify = (program: Command): void => {
  program
    .command('verify')
    .description("compare a build's outputs with onnxruntime's")
    .argument('<build>', 'build folder')
    .argument('<model>', 'the ONNX file it was compiled from')
    .addOption(inputOption())
    .addOption(transportOption('memory'))
    .option('--rtol <number>', `of each expected element (default: ${or('rtol')})`, positive('--rtol'))
    .option('--atol <number>', `of each output's largest magnitude (default: ${or('atol')})`, positive('--atol'))
    .option('--json', 'print one JSON object')
    .action(run);
};
