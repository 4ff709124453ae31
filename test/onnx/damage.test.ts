/** Whatever happened to the bytes of a model: a program or an error for the user, nothing else, and quickly. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompileError } from '../../compiler/error.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { graphAttribute, int64s, modelBytes, node, ramp, strings, tensorAttribute, value, workFolder } from './make.ts';

const work = workFolder();
test.after(work.remove);

/** Always the same runs, for one that made onnxruntime itself crash could not print its seed. `DAMAGE=SEED,RUNS` tries others. */
const [seed = 1, runs = 500] = process.env.DAMAGE?.split(',').map(Number) ?? [];

const models = [
  modelBytes({
    nodes: [
      node('MatMul', ['x', 'w'], ['h'], {}, { name: 'product' }),
      node('Softmax', ['h'], ['y'], { axis: { kind: 'int', value: -1 } }),
    ],
    initializers: [ramp('w', [4, 3])],
  }),
  modelBytes({
    nodes: [
      node('Constant', [], ['s'], { value: tensorAttribute(int64s('', [2, 2])) }),
      node('ConstantOfShape', ['n'], ['c']),
      node('Reshape', ['x', 's'], ['r']),
      node('Sum', ['r', 'c'], ['y']),
    ],
    initializers: [int64s('n', [2, 2]), strings('t', ['a', 'bc'])],
    outputs: [value('y', [2, 2])],
    graph: { valueInfo: [value('r', [2, 2])] as never },
  }),
  modelBytes({
    nodes: [
      node('If', ['c'], ['y'], {
        then_branch: graphAttribute({ name: 't', node: [node('Exp', ['x'], ['to'])], output: [{ name: 'to' }] }),
        else_branch: graphAttribute({ name: 'e', initializer: [ramp('eo', [1100])], output: [{ name: 'eo' }] }),
      }),
    ],
    inputs: [value('x', ['batch', 4]), value('c', [], 9)],
  }),
];

const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  kind: fc.constantFrom('set', 'flip', 'drop', 'insert', 'cut', 'repeat'),
  byte: fc.nat(255),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(bytes: Uint8Array, { at, kind, byte }: Mutation): Uint8Array {
  const place = Math.floor(at * bytes.length);
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
  switch (kind) {
    case 'set':
      return Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
    case 'flip':
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (byte & 7))), after.subarray(1)]);
    case 'drop':
      return Buffer.concat([before, after.subarray(1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.of(byte), after]);
    case 'cut':
      return byte < 32 ? before : bytes;
    default:
      return Buffer.concat([before, after.subarray(0, byte % 20), after]);
  }
}

/** What came of it. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    const program = await importModel(work.write('damaged.onnx', bytes));
    return program.stage;
  } catch (error) {
    if (error instanceof CompileError) return error.code;
    throw error;
  }
}

test('mutated models', async () => {
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...models),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      async (model, list) => {
        const result = await outcome(list.reduce(mutate, model));
        outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
      },
    ),
    { seed, numRuns: runs },
  );
  assert.ok(outcomes.size >= 5, [...outcomes].join(' '));
});

test('random bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      assert.is.not(await outcome(bytes), 'imported');
    }),
    { seed, numRuns: runs / 2 },
  );
});

test("random bytes after a ModelProto's first field", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      await outcome(Buffer.concat([Buffer.of(8, 8, 0x3a, Math.min(bytes.length, 127)), bytes]));
    }),
    { seed, numRuns: runs / 2 },
  );
});

test.run();
