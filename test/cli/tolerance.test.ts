/** What `verify` allows: it follows from the numbers that the model computes in. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toleranceOf } from '../../compiler/cli/tolerance.ts';
import { halfTolerance, tolerance } from '../../compiler/compare.ts';
import { Builder } from '../../fixtures/zoo/builder.ts';
import { withNumbers, zoo } from '../../fixtures/zoo/index.ts';
import { cast, linear, relu } from '../../fixtures/zoo/layers.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { json, shardonnx, workFolder } from '../support/cli.ts';

const test = suite('tolerance');
const work = workFolder();

/** float32 outside, float16 inside. x: [8,16] → y: [8,4] */
function mixed(): string {
  const g = new Builder('mixed');
  const hidden = relu(g, linear(g, g.input('x', [8, 16]), 'fc1', 16));
  g.output(linear(g, cast(g, cast(g, hidden, 'float16'), 'float32'), 'fc2', 4), 'y');
  const file = work.path('mixed.onnx');
  writeModel(g.finish(), file);
  return file;
}

function lenet(numbers: Parameters<typeof withNumbers>[1]): string {
  const file = work.path('lenet.onnx');
  writeModel(withNumbers(zoo.lenet!.build({ batch: 1, sequence: 1 }), numbers), file);
  return file;
}

test('float16 anywhere in the model allows more', () => {
  assert.equal(toleranceOf(lenet({})), tolerance);
  assert.equal(toleranceOf(lenet({ quantize: 'qdq' })), tolerance);
  assert.equal(toleranceOf(lenet({ dtype: 'float16' })), halfTolerance);
  assert.equal(toleranceOf(mixed()), halfTolerance);
});

test('verify says what it allowed; flags have the last word', async () => {
  const [model, build] = [mixed(), work.path('build')];
  assert.is((await shardonnx('compile', model, '-c', work.cluster, '-o', build)).status, 0);
  const { stdout, status } = await shardonnx('verify', build, model);
  assert.is(status, 0);
  assert.match(
    stdout,
    /^equal +y: .*\nallowed: 0.01 of each element and 0.005 of the largest; more only up to 2 times /,
  );
  const spoken = await shardonnx('verify', build, model, '--json', '--atol', '0.5');
  assert.equal(json(spoken).tolerance, { rtol: halfTolerance.rtol, atol: 0.5 });
});

test('verify says in JSON how far an output of another shape is off: not null', async () => {
  const build = work.path('build');
  const g = new Builder('other');
  g.output(linear(g, g.input('x', [8, 16]), 'fc', 5), 'y');
  const other = work.path('other.onnx');
  writeModel(g.finish(), other);
  const spoken = await shardonnx('verify', build, other, '--json');
  assert.is(spoken.status, 1);
  const { ok, outputs } = json(spoken);
  assert.is(ok, false);
  assert.ok(outputs[0].maxAbs > 1e308 && outputs[0].maxRel > 1e308);
  assert.match(outputs[0].diverges, /shape \[8,4\], \[8,5\] expected/);
});

test.run();
