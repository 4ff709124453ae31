/** Logs become programs: data flow, geometry, costs; on traces of models the evidence lacks, and on the evidence where it is. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CompileError } from '../../../compiler/error.ts';
import { type Compute, reads, tensorOf } from '../../../compiler/ir/program.ts';
import { verifyProgram } from '../../../compiler/ir/verify.ts';
import { cutsOf, isCuttable } from '../../../compiler/planning/cuts.ts';
import { parameterCount } from '../../../fixtures/zoo/builder.ts';
import { loggedCosts } from './costs.ts';
import { families, geometryOf } from './families.ts';
import { flowOf, type Log, readLog } from './log.ts';
import { fit, match, programOf } from './program.ts';
import { tracedResnet, tracedVgg } from './trace.ts';

const test = suite('lopinfer import');
const evidence = fileURLToPath(new URL('../../../../shared/evidence/lopinfer', import.meta.url));

const close = (a: number, b: number) => assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)), `${a}, not ${b}`);
const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
function refused(run: () => unknown, message: RegExp): void {
  try {
    run();
  } catch (error) {
    assert.instance(error, CompileError);
    assert.is((error as CompileError).code, 'operator-log');
    assert.match((error as CompileError).message, message);
    return;
  }
  assert.unreachable('nothing was refused');
}

/** [type, inputs, shape]; no shape: bookkeeping. */
type Line = readonly [string, readonly number[], (readonly number[])?];
const logOf = (lines: readonly Line[]): Log => ({
  model: 'small',
  operators: lines.map(([type, inputs, shape], index) => ({
    index,
    type,
    inputs: [...inputs],
    shapes: shape ? [[...shape]] : [],
    robotMs: 10 ** index,
    serverMs: 2 * 10 ** index,
  })),
});
const operands = (log: Log) => flowOf(log).steps.map((step) => step.operands);

const X = [1, 4, 8, 8];
test('what was changed in place is one value: the last writer before the reader', () => {
  const log = logOf([
    ['_start', [], X],
    ['batch_norm', [0], X],
    ['relu', [1], X],
    ['batch_norm', [1, 2], X],
    ['add_', [3, 1, 2], X],
    ['relu', [3, 4], X],
    ['conv2d', [3, 4, 5], X],
    ['cat', [1, 2, 3, 4, 5], [1, 8, 8, 8]],
  ]);
  assert.equal(operands(log), [[-1], [0], [1], [2, 1], [3], [4], [1, 4]]);
});

test('a relu beside its input is another tensor', () => {
  const log = logOf([
    ['_start', [], X],
    ['batch_norm', [0], X],
    ['relu', [1], X],
    ['conv2d', [2], X],
    ['add', [1, 3], X],
  ]);
  assert.equal(operands(log), [[-1], [0], [1], [0, 2]]);
});

test('operators that read each other are no less apart: a cat of a tensor and what was made of it', () => {
  const log = logOf([
    ['_start', [], X],
    ['conv2d', [0], X],
    ['conv2d', [1], X],
    ['cat', [1, 2], [1, 8, 8, 8]],
  ]);
  assert.equal(operands(log), [[-1], [0], [0, 1]]);
});

test('the time of bookkeeping is the operator’s that it follows; none is lost', () => {
  const log = logOf([
    ['_start', [], X],
    ['conv2d', [0], X],
    ['dim', [1]],
    ['size', [1]],
    ['relu', [1], X],
    ['_end', [1, 4], X],
  ]);
  const { steps } = flowOf(log);
  assert.equal(
    steps.map(({ robotMs, serverMs }) => [robotMs, serverMs]),
    [
      [1110, 2220],
      [110000, 220000],
    ],
  );
});

test('what is no log is refused', () => {
  refused(
    () =>
      flowOf(
        logOf([
          ['_start', [], X],
          ['relu', [2], X],
          ['relu', [1], X],
        ]),
      ),
    /reads 2, which comes later/,
  );
  refused(
    () =>
      flowOf(
        logOf([
          ['_start', [], X],
          ['dim', [0]],
          ['relu', [1], X],
        ]),
      ),
    /reads nothing/,
  );
  refused(
    () =>
      match(
        flowOf(
          logOf([
            ['_start', [], X],
            ['lstm', [0], X],
          ]),
        ),
      ),
    /no ONNX operator for "lstm"/,
  );
  refused(
    () =>
      match(
        flowOf(
          logOf([
            ['_start', [], X],
            ['add', [0], X],
          ]),
        ),
      ),
    /reads 1 tensors/,
  );
  refused(() => readLog(join(evidence, 'no such log')), /cannot be read/);
});

const vgg11 = [[64], [128], [256, 256], [512, 512], [512, 512]];
const traces: Readonly<Record<string, Log>> = {
  resnet18: tracedResnet('A', [2, 2, 2, 2], false),
  resnet34: tracedResnet('B', [3, 4, 6, 3], false),
  resnet50: tracedResnet('C', [3, 4, 6, 3], true),
  resnet152: tracedResnet('D', [3, 8, 36, 3], true),
  vgg11: tracedVgg('E', vgg11),
};

/** A program the compiler accepts, with the log's shapes and all of its time. */
function isProgramOf(log: Log, name: string): void {
  const flow = flowOf(log);
  const found = match(flow);
  assert.is(found.name, name);
  const program = programOf(flow, found);
  verifyProgram(program, 'import');
  const { operators, cuts, constants } = cutsOf(program);
  assert.is(operators.size, log.operators.filter(({ type, shapes }) => shapes.length > 0 && !/^_/.test(type)).length);
  assert.is(constants.size, 0);
  const made = [...operators.values()].map(({ outputs }) => tensorOf(program, outputs[0]!.tensor).shape);
  assert.equal(
    made,
    flow.steps.map(({ shape }) => shape),
  );
  for (const [origin, cut] of cuts) assert.ok(isCuttable(cut), `${origin} is whole`);
  const costs = loggedCosts(flow);
  const seconds = (device: string) => total([...operators.values()].map((one) => costs.seconds(device, program, one)));
  close(seconds('robot') * 1000, total(log.operators.map(({ robotMs }) => robotMs)));
  close(seconds('server') * 1000, total(log.operators.map(({ serverMs }) => serverMs)));
}

for (const [name, log] of Object.entries(traces)) {
  test(`a trace of ${name} is found and becomes a program`, () => isProgramOf(log, name));
}

test('pictures of another size have the same geometry', () =>
  isProgramOf(tracedResnet('F', [2, 2, 2, 2], false, 160), 'resnet18'));

test('a strided convolution reads the rows its geometry says', () => {
  const flow = flowOf(traces.resnet18!);
  const { operators, cuts } = cutsOf(programOf(flow, match(flow)));
  const first = [...operators.values()].find(({ type }) => type === 'Conv')!;
  const cut = cuts.get(first.origin)!;
  assert.ok(isCuttable(cut));
  const whole = Object.fromEntries(
    Object.entries(cut.letters).map(([letter, { size }]) => [letter, [0, size] as const]),
  );
  // 7×7, stride 2, padding 3: rows 10 to 19 read rows 2·10−3 to 2·19+3.
  const [region] = cut.tile({ ...whole, h: [10, 20] } as Parameters<typeof cut.tile>[0]).inputs;
  assert.equal(Array.isArray(region) && region[2], [17, 42]);
});

test('a tile costs its share of the output; joining costs nothing', () => {
  const flow = flowOf(traces.resnet18!);
  const program = programOf(flow, match(flow));
  const [operator] = program.operators as readonly Compute[];
  const whole = operator!.outputs[0]!;
  const quarter = { ...whole, region: whole.region!.with(2, [0, 28]) };
  const costs = loggedCosts(flow, { robot: 2, server: 1 });
  close(costs.seconds('robot', program, { ...operator!, outputs: [quarter] }) * 1000, (2 * flow.steps[0]!.robotMs) / 4);
  assert.is(
    costs.seconds('robot', program, { kind: 'assemble', origin: '', device: null, inputs: [whole], output: whole }),
    0,
  );
  assert.is(costs.border('robot', 1e6), 0);
  assert.throws(() => costs.seconds('cloud', program, operator!), /no cost/);
});

test('another network is none of the zoo’s, with the reason for each', () => {
  const wide = tracedVgg('wide', [[64], [128], [256, 256], [512, 512], [512, 500]]);
  refused(
    () => match(flowOf(wide)),
    /vgg11 operator \d+ \(conv2d\) would make \[1,512,14,14\], logged is \[1,500,14,14\]/,
  );
  refused(() => match(flowOf(tracedVgg('deep', [...vgg11, [512]]))), /vgg11 has 8 Conv, logged are 9/);
});

test('a convolution that reads an earlier tensor of the right shape is seen, unless no layer lies between', () => {
  const flow = flowOf(traces.resnet18!);
  const geometry = geometryOf(families.map((build) => build()).find(({ name }) => name === 'resnet18')!);
  const at = flow.steps.findLastIndex(({ type }) => type === 'conv2d');
  const [own] = flow.steps[at]!.operands;
  const others = flow.steps.flatMap(({ shape }, i) =>
    i < own! && `${shape}` === `${flow.steps[own!]!.shape}` ? [i] : [],
  );
  const missed = others.filter((other) => {
    const steps = flow.steps.with(at, { ...flow.steps[at]!, operands: [other] });
    return typeof fit({ ...flow, steps }, geometry) !== 'string';
  });
  assert.ok(others.length > 10);
  // The relu's own batch norm and convolution.
  assert.equal(missed, [own! - 2, own! - 1]);
});

test('family members that the zoo does not list have the published number of parameters', () => {
  const published: Readonly<Record<string, number>> = {
    vgg11: 132_863_336,
    'vgg11-bn': 132_868_840,
    vgg13: 133_047_848,
    'vgg13-bn': 133_053_736,
    resnet34: 21_797_672,
    resnet101: 44_549_160,
    densenet161: 28_681_000,
    densenet169: 14_149_480,
    densenet201: 20_013_928,
    convnext_small: 50_223_688,
    convnext_base: 88_591_464,
  };
  const counts = new Map(families.map((build) => build()).map((model) => [model.name, parameterCount(model)]));
  for (const [name, count] of Object.entries(published)) assert.is(counts.get(name), count, name);
});

const logs = existsSync(evidence) ? readdirSync(evidence).filter((name) => name.endsWith('.operators.json')) : [];
if (logs.length === 0) console.log('skipped: the published logs (../shared/evidence is not here)');
const expected: Readonly<Record<string, string>> = {
  VGG19_BN: 'vgg19-bn',
  DenseNet121: 'densenet121',
  ConvNeXt_Large: 'convnext_large',
};
for (const name of logs) {
  const log = readLog(join(evidence, name));
  test(`the published log of ${log.model} becomes a program`, () => {
    const flow = flowOf(log);
    isProgramOf(log, expected[log.model] ?? match(flow).name);
    const program = programOf(flow, match(flow));
    const unread = new Set(flow.steps.slice(0, -1).map((_, i) => i));
    for (const { operands } of flow.steps) for (const operand of operands) unread.delete(operand);
    assert.is(unread.size, 0, 'every value but the output is read');
    for (const operator of program.operators) assert.ok(reads(operator).length > 0);
  });
}

test.run();
