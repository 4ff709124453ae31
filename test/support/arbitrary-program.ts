/** Arbitrary programs for the text form: well-formed, not meaningful. */
import * as fc from 'fast-check';
import type {
  Attribute,
  Compute,
  Literal,
  Operator,
  Program,
  Tensor,
  Value,
  WeightSource,
} from '../../compiler/ir/program.ts';
import { stages } from '../../compiler/ir/program.ts';
import type { Region } from '../../compiler/ir/region.ts';
import { dtypes } from '../../runtime/dtype.ts';

const odd = [
  '',
  ' ',
  '"',
  '\\',
  '%x',
  'a b',
  'a,b',
  '[0:4]',
  '~sum0/2',
  'naïve',
  '漢字',
  '🤖',
  'line\nbreak',
  '\u2028',
  '\r',
];
const words = [
  'assemble',
  'recv',
  'send',
  'to',
  'on',
  '_',
  'crop',
  'scale',
  'proto',
  'captures',
  'inf',
  'nan',
  'ai.onnx',
  '0',
  '-',
];
export const name = fc.oneof(
  fc.constantFrom(...odd, ...words),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
);
const device = fc.stringMatching(/^[A-Za-z][\w-]{0,8}$/);
const bytes = fc.uint8Array({ maxLength: 9 });
const float = fc.oneof(
  fc.float(),
  fc.constantFrom(Number.NaN, -0, 0, 1e-45, -1e-45, 3.4028234663852886e38, 0.1, Infinity, -Infinity),
);
const integer = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -9, max: 9 }));

export const attribute: fc.Arbitrary<Attribute> = fc.oneof(
  integer.map((value): Attribute => ({ kind: 'int', value })),
  float.map((value): Attribute => ({ kind: 'float', value })),
  name.map((value): Attribute => ({ kind: 'string', value })),
  fc.array(integer, { maxLength: 4 }).map((value): Attribute => ({ kind: 'ints', value })),
  fc.array(float, { maxLength: 4 }).map((value): Attribute => ({ kind: 'floats', value })),
  fc.array(name, { maxLength: 4 }).map((value): Attribute => ({ kind: 'strings', value })),
  bytes.map((all): Attribute => ({ kind: 'proto', bytes: all })),
);

const source: fc.Arbitrary<WeightSource> = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), file: name, offset: fc.nat(), length: fc.nat() }),
  fc.record({ kind: fc.constant('inline' as const), bytes }),
  fc.record({ kind: fc.constant('fill' as const), bytes }),
  fc.record({ kind: fc.constant('strings' as const), values: fc.array(name, { maxLength: 3 }) }),
);
const sizes = fc.array(fc.nat(6), { maxLength: 3 });
const shape = fc.array(fc.option(fc.nat(6)), { maxLength: 3 });
const dtype = fc.constantFrom(...dtypes);
const role = fc.constantFrom('input' as const, 'output' as const, 'inner' as const);
const tensor: fc.Arbitrary<Tensor> = fc.oneof(
  fc.record(
    { name, role, dtype: fc.option(dtype), shape, encodes: name },
    { requiredKeys: ['name', 'role', 'dtype', 'shape'] },
  ),
  fc.record({ name, role: fc.constant('weight' as const), dtype, shape: sizes, source }),
);

function regionOf(sizes: Tensor['shape']): fc.Arbitrary<Region | null> {
  if (sizes.includes(null)) return fc.constant(null);
  const spans = sizes.map((size) =>
    fc.tuple(fc.nat(size!), fc.nat(size!)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
  );
  return fc.tuple(...spans);
}
const partial = fc.record({
  combine: fc.constantFrom('sum' as const, 'max' as const, 'min' as const, 'prod' as const),
  index: fc.nat(9),
  count: fc.nat(9),
});

const valueIn = (tensors: readonly Tensor[]): fc.Arbitrary<Value> =>
  fc
    .constantFrom(...tensors)
    .chain((one) =>
      fc.record(
        { kind: fc.constant('value' as const), tensor: fc.constant(one.name), region: regionOf(one.shape), partial },
        { requiredKeys: ['kind', 'tensor', 'region'] },
      ),
    );

const literal: fc.Arbitrary<Literal> = fc.oneof(
  fc.record({
    kind: fc.constant('literal' as const),
    dtype: fc.constantFrom('int64' as const, 'int32' as const, 'uint8' as const),
    shape: sizes,
    data: fc.array(integer),
  }),
  fc.record({
    kind: fc.constant('literal' as const),
    dtype: fc.constant('float32' as const),
    shape: sizes,
    data: fc.array(float),
  }),
);

function operatorOf(tensors: readonly Tensor[], own: fc.Arbitrary<string | null>): fc.Arbitrary<Operator> {
  const value = valueIn(tensors);
  const compute: fc.Arbitrary<Compute> = fc.record(
    {
      kind: fc.constant('compute' as const),
      device: own,
      origin: name,
      type: name.filter((text) => text !== ''),
      domain: name,
      attributes: fc.dictionary(name, attribute, { maxKeys: 3 }),
      inputs: fc.array(fc.option(fc.oneof(value, literal)), { maxLength: 3 }),
      outputs: fc.array(fc.option(value), { minLength: 1, maxLength: 3 }),
      captures: fc.array(value, { maxLength: 2 }),
      crop: fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 3 }),
      scale: fc.double({ noNaN: true, min: Number.MIN_VALUE, max: 1 }),
    },
    { requiredKeys: ['kind', 'device', 'origin', 'type', 'domain', 'attributes', 'inputs', 'outputs', 'captures'] },
  );
  const base = { device: own, origin: name, channel: fc.nat() };
  return fc.oneof(
    compute,
    fc.record({
      kind: fc.constant('assemble' as const),
      device: own,
      origin: name,
      inputs: fc.array(value),
      output: value,
    }),
    fc.record({ kind: fc.constant('send' as const), ...base, to: device, value }),
    fc.record({ kind: fc.constant('receive' as const), ...base, from: device, value }),
  );
}

export const program: fc.Arbitrary<Program> = fc
  .uniqueArray(tensor, { selector: (one) => one.name, minLength: 1, maxLength: 5 })
  .chain((tensors) =>
    fc.record({
      stage: fc.constantFrom(...stages),
      name,
      irVersion: fc.nat(20),
      opsets: fc.dictionary(
        name.filter((domain) => domain !== 'ai.onnx'),
        fc.nat(30),
        { maxKeys: 3 },
      ),
      tensors: fc.constant(new Map(tensors.map((one) => [one.name, one]))),
      inputs: fc.subarray(tensors.map((one) => one.name)),
      outputs: fc.subarray(tensors.map((one) => one.name)),
      operators: fc.array(operatorOf(tensors, fc.option(device)), { maxLength: 5 }),
      placement: fc.option(fc.record({ inputs: device, outputs: device })),
    }),
  );
