/** Plan files, and plans against a model: what is refused, and where. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatPlan, type Plan, parsePlan } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { resolvePlan } from '../../compiler/planning/resolve.ts';
import { importBuilt } from '../support/built.ts';
import { errorOf } from '../support/error.ts';
import { clusterOf, imported, type ModelName, planOf } from '../support/imported.ts';

const test = suite('plan');
const cluster = clusterOf({ a: 1, b: 2 });

test('a plan reads back as it was, odd names included', async () => {
  const plan = await makePlan(await imported('squeezeExcite'), cluster, 'spatial');
  assert.equal(parsePlan(formatPlan(plan)), plan);
  const odd: Plan = {
    format: 1,
    model: 'ü "x"',
    policy: '',
    objective: 'throughput',
    maxRelativeError: 1e-3,
    encodings: {
      'h "1"': 'float16',
      12: { int8: [-0.5, 3e38] },
      h: { int8PerChannel: { axis: 1, ranges: [[0, 1]] } },
    },
    operators: { 'a "b"\n': 'a', 12: [{ device: 'b', reduce: { k: '0:4' } }] },
  };
  assert.equal(parsePlan(formatPlan(odd)), odd);
});

const start = '"format": 1, "model": "m", "policy": "p"';
// biome-ignore format: one row a case
const files: Readonly<Record<string, readonly [string, RegExp]>> = {
  'not JSON': ['{', /^not JSON: /],
  nothing: ['', /^not JSON: /],
  'a list': ['[]', /^file: /],
  'no operators': [`{ ${start} }`, /^operators: /],
  'a typo in a field': [`{ ${start}, "operators": {}, "operator": {} }`, /"operator"/],
  'a later format': ['{ "format": 2, "model": "m", "policy": "p", "operators": {} }', /^format: /],
  'an objective that steps cannot be ordered for': [`{ ${start}, "objective": "energy", "operators": {} }`, /^objective: .*"latency"\|"throughput"/],
  'a number for a device': [`{ ${start}, "operators": { "conv": 1 } }`, /^operators\.conv: /],
  'no parts': [`{ ${start}, "operators": { "conv": [] } }`, /^operators\.conv: /],
  'a part without a device': [`{ ${start}, "operators": { "conv": [{ "region": "[:]" }] } }`, /^operators\.conv\.0\.device: /],
  'a typo in a part': [`{ ${start}, "operators": { "conv": [{ "device": "a", "regoin": "[:]" }] } }`, /^operators\.conv\.0: .*"regoin"/],
  'a reduce span that is none': [`{ ${start}, "operators": { "c": [{ "device": "a", "reduce": { "k": "0-4" } }] } }`, /^operators\.c\.0\.reduce\.k: a span is begin:end$/],
  'an encoding that there is not': [`{ ${start}, "operators": {}, "maxRelativeError": 0.1, "encodings": { "h": "float8" } }`, /^encodings\.h: an encoding is "float16", /],
  'a range without an end': [`{ ${start}, "operators": {}, "maxRelativeError": 0.1, "encodings": { "h": { "int8": [0] } } }`, /^encodings\.h: an encoding is .* "int8": \[least, largest\]/],
  'a range upside down': [`{ ${start}, "operators": {}, "maxRelativeError": 0.1, "encodings": { "h": { "int8": [2, 1] } } }`, /^encodings\.h\.int8: the first is above the second$/],
  "a channel's range upside down": [`{ ${start}, "operators": {}, "maxRelativeError": 0.1, "encodings": { "h": { "int8PerChannel": { "axis": 1, "ranges": [[0, 1], [2, 1]] } } } }`, /^encodings\.h\.int8PerChannel\.ranges\.1: the first is above the second$/],
  'channels along no axis': [`{ ${start}, "operators": {}, "maxRelativeError": 0.1, "encodings": { "h": { "int8PerChannel": { "ranges": [[0, 1]] } } } }`, /^encodings\.h: an encoding is .* "axis": 1/],
  'no channels': [`{ ${start}, "operators": {}, "maxRelativeError": 0.1, "encodings": { "h": { "int8PerChannel": { "axis": 1, "ranges": [] } } } }`, /^encodings\.h/],
  'encodings without a budget': [`{ ${start}, "operators": {}, "encodings": { "h": "float16" } }`, /^maxRelativeError: encodings are inexact: say how far/],
  'a negative budget': [`{ ${start}, "operators": {}, "maxRelativeError": -0.1 }`, /^maxRelativeError: /],
  'a budget in words': [`{ ${start}, "operators": {}, "maxRelativeError": "1e-3" }`, /^maxRelativeError: /],
};
for (const [what, [text, message]] of Object.entries(files)) {
  test(`file: ${what}`, async () => {
    const error = await errorOf('plan', () => parsePlan(text, 'plan.json'));
    assert.match(error.message, message);
    assert.equal(error.context.at, ['plan.json']);
    assert.ok(error.context.hint);
  });
}

type Parts = Plan['operators'][string];
const rows = (...spans: readonly (readonly [device: string, span: string])[]): Parts =>
  spans.map(([device, span]) => ({ device, region: `[:,:,${span},:]` }));
const reduced = (...spans: readonly (readonly [device: string, region: string, span: string])[]): Parts =>
  spans.map(([device, region, k]) => ({ device, region, reduce: { k } }));

/** Model, operator, its parts, the code, the message, the hint. */
// biome-ignore format: one row a case
const refused: Readonly<Record<string, readonly [ModelName, string, Parts, string, RegExp, RegExp]>> = {
  'an unknown device': ['residualBlock', 'block1.conv1', 'c', 'plan-device', /no device "c"/, /devices are a, b/],
  'an unknown device in a part': ['residualBlock', 'block1.conv1', rows(['a', '0:9'], ['c', '9:28']), 'plan-device', /no device "c"/, /a, b/],
  'an unknown operator': ['residualBlock', 'block9', 'a', 'plan-operator', /has no such operator/, /inspect/],
  'a tensor that is no operator': ['residualBlock', 'x', 'a', 'plan-operator', /has no such operator/, /inspect/],
  'a missed element': ['residualBlock', 'block1.conv1', rows(['a', '0:9'], ['b', '10:28']), 'plan-misses', /nobody computes \[:,:,9:10,:\]/, /\[1,8,28,28\]/],
  'a missed end': ['residualBlock', 'block1.conv1', rows(['a', '0:27']), 'plan-misses', /nobody computes \[:,:,27:28,:\]/, /28/],
  'an element computed twice on a device': ['residualBlock', 'block1.conv1', rows(['a', '0:9'], ['b', '9:28'], ['a', '8:10']), 'plan-overlap', /\[:,:,8:9,:\] is computed twice on a/, /disjoint/],
  'a region out of bounds': ['residualBlock', 'block1.conv1', rows(['a', '0:29']), 'plan-region', /\[:,:,0:29,:\] is no region of \[1,8,28,28\]/, /half-open/],
  'an empty region': ['residualBlock', 'block1.conv1', rows(['a', '0:28'], ['b', '9:9']), 'plan-region', /is no region/, /not empty/],
  'a region of another rank': ['residualBlock', 'block1.conv1', [{ device: 'a', region: '[:,:]' }], 'plan-region', /is no region/, /half-open/],
  'a region that is none': ['residualBlock', 'block1.conv1', [{ device: 'a', region: 'top' }], 'plan-region', /top is no region/, /half-open/],
  'channels not at a step': ['squeezeExcite', 'grouped', [{ device: 'a', region: '[:,0:5,:,:]' }, { device: 'b', region: '[:,5:24,:,:]' }], 'plan-region', /0:5 must be cut at multiples of 6/, /24/],
  'an axis that is not cut': ['mlp', 'softmax', [{ device: 'a', region: '[:,0:5]' }, { device: 'b', region: '[:,5:10]' }], 'plan-region', /cannot be cut along/, /leave that dimension whole/],
  'an unknown reduce letter': ['mlp', 'fc1', [{ device: 'a', reduce: { q: '0:32' } }, { device: 'b', reduce: { q: '32:64' } }], 'plan-reduce', /cannot reduce along q 0:32/, /k \(0:64\)/],
  'a letter that does not reduce': ['mlp', 'fc1', [{ device: 'a', reduce: { n: '0:32' } }], 'plan-reduce', /cannot reduce along n/, /k \(0:64\)/],
  'an operator without reduce letters': ['mlp', 'relu1', [{ device: 'a', reduce: { k: '0:1' } }], 'plan-reduce', /cannot reduce along k/, /none/],
  'an addend out of bounds': ['mlp', 'fc1', reduced(['a', '[:,:]', '0:65']), 'plan-reduce', /cannot reduce along k 0:65/, /k \(0:64\)/],
  'an addend missing': ['mlp', 'fc1', reduced(['a', '[:,:]', '0:30'], ['b', '[:,:]', '31:64']), 'plan-reduce', /\[:,:\] misses a part of the reduction/, /tile/],
  'an addend twice': ['mlp', 'fc1', reduced(['a', '[:,:]', '0:32'], ['b', '[:,:]', '30:64']), 'plan-reduce', /\[:,:\] adds a part of the reduction twice/, /tile/],
  'addends of regions that overlap': ['mlp', 'fc1', [...(reduced(['a', '[0:3,:]', '0:32'], ['b', '[0:3,:]', '32:64']) as []), { device: 'b', region: '[2:4,:]' }], 'plan-overlap', /\[2:3,:\] is computed twice/, /disjoint/],
};
for (const [what, [model, name, parts, code, message, hint]] of Object.entries(refused)) {
  test(`plan: ${what}`, async () => {
    const program = await imported(model);
    const error = await errorOf(code, () => resolvePlan(program, cluster, planOf(program, { [name]: parts }, 'a')));
    assert.match(error.message, message);
    assert.match(error.context.hint!, hint);
    assert.equal(error.context.at, [`plan, operator "${name}"`]);
  });
}

test('plan: an operator left out', async () => {
  const program = await imported('mlp');
  const { fc2: _, ...operators } = planOf(program, {}, 'a').operators;
  const error = await errorOf('plan-operator', () =>
    resolvePlan(program, cluster, { ...planOf(program, {}, 'a'), operators }),
  );
  assert.match(error.message, /does not say where it runs/);
  assert.equal(error.context.at, ['plan, operator "fc2"']);
});

test('plan: an operator that only weights decide is computed where it is needed, a plan must not name it', async () => {
  const program = await importBuilt('constant', (g) => {
    const shape = [64, 64];
    const gate = g.node('Sigmoid', [g.parameter('w', shape, 1)], { dtype: 'float32', shape }, { name: 'gate' });
    g.output(g.node('MatMul', [g.input('x', shape), gate], { dtype: 'float32', shape }, { name: 'y' }));
  });
  const plan: Plan = { format: 1, model: '', policy: '', operators: { y: 'b' } };
  assert.equal([...resolvePlan(program, cluster, plan).keys()], ['y']);
  const naming = { ...plan, operators: { gate: 'a', y: 'b' } };
  const error = await errorOf('plan-operator', () => resolvePlan(program, cluster, naming));
  assert.match(error.message, /only weights decide it/);
});

test('plan: what runs whole is not cut, and says why', async () => {
  const program = await importBuilt('whole', (g) => {
    g.output(g.node('NonZero', [g.input('x', [4, 4])], { dtype: 'int64', shape: [2, 'n'] }, { name: 'y' }));
  });
  const parts = [{ device: 'a', region: '[0:1]' }];
  const error = await errorOf('plan-region', () => resolvePlan(program, cluster, planOf(program, { y: parts }, 'a')));
  assert.match(error.message, /runs whole: its output has the size the data decides/);
});

test('overlaps between devices are legal: each computes the halo it reads', async () => {
  const program = await imported('residualBlock');
  const plan = planOf(program, { 'block1.conv1': rows(['a', '0:15'], ['b', '13:28']) }, 'a');
  assert.equal(
    resolvePlan(program, cluster, plan)
      .get('block1.conv1')!
      .map(({ device }) => device),
    ['a', 'b'],
  );
});

test.run();
