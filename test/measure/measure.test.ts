/** Measuring small models on this machine: what is measured, that it can be asked again, and what is told when it cannot be. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { measureDevice } from '../../compiler/measure/measure.ts';
import { measureTiles } from '../../compiler/measure/measure-tiles.ts';
import { tilesModel } from '../../compiler/measure/tile-model.ts';
import { tilesOf } from '../../compiler/measure/tiles.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { decodeModel } from '../../compiler/onnx/proto.ts';
import { costsOf } from '../../compiler/planning/costs/costs.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import { formatProfile, parseProfile } from '../../compiler/profile/profile.ts';
import { unusualModels } from '../../fixtures/models.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { errorOf } from '../support/error.ts';
import { clusterOf, imported } from '../support/imported.ts';
import { chainsOfModel } from '../support/made-profile.ts';

const test = suite('measure');
const folder = mkdtempSync(join(tmpdir(), 'shardonnx-test-'));
test.after(() => rmSync(folder, { recursive: true }));

const quick = { threads: 1, budget: 60, progress: () => {} };

test('tiles: every chain whole first, then halves, then quarters along each letter, none twice', async () => {
  const program = await imported('residualBlock');
  const tiles = tilesOf(program);
  const whole = chainsOfModel(program);
  assert.equal(new Set(tiles.slice(0, 5).map(({ chain }) => chain.key)).size, 5);
  for (const chain of whole) {
    const own = tiles.filter((tile) => tile.chain.key === chain.key);
    assert.equal(own.find(({ sizes }) => JSON.stringify(sizes) === JSON.stringify(chain.family.sizes)) && true, true);
    const { h, o } = chain.family.sizes;
    for (const [letter, size] of [
      ['h', h!],
      ['o', o!],
    ] as const)
      for (const part of [2, 4])
        assert.ok(
          own.some(({ sizes }) => sizes[letter] === Math.round(size / part)),
          `${letter} ${size / part}`,
        );
  }
  const names = tiles.map(({ chain, sizes }) => `${chain.key} ${JSON.stringify(sizes)}`);
  assert.is(new Set(names).size, names.length);
});

test('a chain is tiled as a whole; addends of a sum are of the leader alone', async () => {
  const program = await imported('residualBlock');
  for (const { chain, sizes, operators } of tilesOf(program)) {
    assert.is(operators.length, chain.members.length);
    if ('c' in sizes && sizes.c !== chain.family.sizes.c) assert.is(operators.length, 1, chain.key);
    for (const { outputs } of operators.slice(1)) assert.equal(outputs[0]!.region, operators[0]!.outputs[0]!.region);
  }
});

test('bands as narrow as one row are measured too, inside the picture, where they read no padding', async () => {
  const program = await imported('residualBlock');
  const tiles = tilesOf(program);
  for (const { key, family } of chainsOfModel(program).filter(
    ({ family }) => family.cut?.letters.h?.kind === 'window',
  )) {
    const narrow = tiles.filter(
      ({ chain, sizes }) => chain.key === key && sizes.h === Math.max(1, Math.round(family.sizes.h! / 16)),
    );
    assert.ok(narrow.length > 0, key);
    for (const { operators } of narrow) {
      const [begin, end] = operators[0]!.outputs[0]!.region![2]!;
      assert.ok(begin > 0 && end < family.sizes.h!, `${key} ${begin}–${end}`);
    }
  }
});

test('made-up weights differ from tile to tile: onnxruntime would keep equal ones once, in caches that real ones are not in', async () => {
  const file = join(folder, 'lenet.onnx');
  writeModel(zoo.lenet!.build({ batch: 1, sequence: 1 }), file);
  const program = await importModel(file);
  const tiles = tilesOf(program).filter(({ chain }) => chain.key.startsWith('Gemm'));
  const variants = [...tiles, ...tiles].map((tile) => ({ tile, blocked: false }));
  const { graph } = decodeModel((await tilesModel(program, variants, folder, 'made-up')).bytes);
  const values = graph!.node
    .filter(({ opType }) => opType === 'ConstantOfShape')
    .map(({ attribute }) => Buffer.from(attribute[0]!.t!.rawData).toString('hex'));
  assert.ok(values.length > variants.length / 2, `${values.length} made-up weights`);
  assert.is(new Set(values).size, values.length);
});

test('every tile of a model runs, and what onnxruntime fuses costs its leader', async () => {
  const program = await imported('residualBlock');
  const tiles = tilesOf(program);
  const options = { threads: 1, folder, deadline: Number.POSITIVE_INFINITY, progress: () => {} };
  const { chains, left, refused } = await measureTiles(program, tiles, options);
  assert.equal([left, refused], [0, []]);
  for (const { chain, sizes } of tiles) {
    const found = chains[chain.key]!.plain.find((point) => JSON.stringify(point.sizes) === JSON.stringify(sizes));
    assert.ok(found && found.seconds[0]! > 0 && found.work > 0 && found.bytes > 0, chain.key);
    assert.is(found.seconds.length, chain.members.length);
  }
  const relus = Object.entries(chains).filter(([key]) => /^Conv [^|]* \| Relu [^|]*$/.test(key));
  assert.ok(relus.length > 0);
  for (const [, { plain }] of relus)
    for (const { seconds } of plain) assert.is(seconds[1], 0, 'Conv and Relu are one kernel');
  assert.equal(
    readdirSync(folder).filter((file) => !file.endsWith('.onnx') && !file.endsWith('.bin')),
    [],
  );
});

test('a profile of two models is read back and answers for both', async () => {
  const programs = [await imported('mlp'), await imported('transformerBlock')];
  const done: number[] = [];
  const progress = (_: string, now: number, total: number) => done.push(now / total);
  const { profile, spread, left } = await measureDevice(programs, { ...quick, progress });
  assert.is(left, 0);
  assert.ok(spread >= 0);
  assert.equal(profile.models, ['mlp.onnx', 'transformerBlock.onnx']);
  assert.is(done.at(-1), 1);
  const read = parseProfile(formatProfile(profile));
  const cluster = clusterOf({ a: 1 });
  const measured = { kind: 'profile', file: 'p.json', profile: read } as const;
  for (const program of programs) {
    const costs = costsOf(program, { ...cluster, devices: cluster.devices.map((device) => ({ ...device, measured })) });
    const { operators, constants } = cutsOf(program);
    for (const operator of operators.values()) {
      if (constants.has(operator.origin)) continue;
      assert.is(costs.source('a', program, operator), 'measured', operator.origin);
      assert.ok(costs.seconds('a', program, operator) >= 0);
    }
  }
});

test('models with subgraphs, strings and sequences: what can be measured is, the rest is left', async () => {
  const text = Object.entries(unusualModels).filter(([name]) =>
    ['ifBranches', 'strings', 'omittedInputs'].includes(name),
  );
  const files = text.map(([name, make]) => {
    const file = join(folder, `${name}.onnx`);
    writeFileSync(file, make());
    return file;
  });
  const programs = await Promise.all(files.map((file) => importModel(file)));
  const { profile } = await measureDevice(programs, quick);
  assert.ok(Object.keys(profile.chains).length > 0);
});

test('no time: nothing is measured, and the error says what to do', async () => {
  // A folder of its own: other tests measure at the same time.
  const outside = process.env.TMPDIR;
  const folder = mkdtempSync(join(tmpdir(), 'measure-'));
  process.env.TMPDIR = folder;
  const error = await errorOf('profile', async () =>
    measureDevice([await imported('mlp')], { ...quick, budget: 1e-9 }),
  );
  const left = readdirSync(folder).filter((name) => name.startsWith('shardonnx-profile-'));
  if (outside === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = outside;
  rmSync(folder, { recursive: true });
  assert.match(error.message, /^no operator of mlp\.onnx could be measured$/);
  assert.match(error.context.hint!, /--budget/);
  assert.equal(left, []);
});

test.run();
