/** One operator as an ONNX model, run on onnxruntime. */

import type * as Ort from 'onnxruntime-node';
import { arrayOver, isDType, onnxNumber } from '../../../runtime/dtype.ts';
import { onnxruntime } from '../../../runtime/modules.ts';
import type { Attributes } from '../../ir/program.ts';
import { encodeAttribute } from '../../onnx/encode.ts';
import { onnx } from '../../onnx/proto.ts';
import type { Node, Operand } from '../rule.ts';
import { type Dense, dense, fill, generator, numberOf, numbers, textOf } from './dense.ts';
import type { Case } from './example.ts';

const { InferenceSession, Tensor } = onnxruntime();

/** An operand: data fed at run time, a constant inside the model, or an omitted input. */
export type Fed = { readonly array: Dense; readonly constant: boolean } | null;

export interface OneNode {
  readonly type: string;
  readonly domain: string;
  readonly opset: number;
  readonly attributes: Attributes;
  readonly inputs: readonly Fed[];
  /** Which outputs are used. */
  readonly outputs: readonly boolean[];
}

const textsOf = ({ data }: Dense): string[] => Array.from<number | bigint, string>(data, textOf);

const initializer = (name: string, array: Dense) => ({
  name,
  dataType: onnxNumber(array.dtype),
  dims: [...array.shape],
  ...(array.dtype === 'string'
    ? { stringData: textsOf(array).map((text) => new Uint8Array(Buffer.from(text))) }
    : { rawData: new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength) }),
});

function modelBytes(node: OneNode): Uint8Array {
  const named = node.inputs.map((input, i) => ({ name: input ? `x${i}` : '', input }));
  while (named.at(-1)?.input === null) named.pop();
  const typed = named.flatMap(({ name, input }) => (input ? [{ name, ...input }] : []));
  const outputs = node.outputs.map((used, i) => (used ? `y${i}` : ''));
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: node.domain, version: node.opset }],
    graph: {
      name: 'one node',
      input: typed
        .filter(({ constant }) => !constant)
        .map(({ name, array }) => ({
          name,
          type: { tensorType: { elemType: onnxNumber(array.dtype), shape: { dim: array.shape.map(() => ({})) } } },
        })),
      initializer: typed.filter(({ constant }) => constant).map(({ name, array }) => initializer(name, array)),
      output: outputs.filter((name) => name !== '').map((name) => ({ name })),
      node: [
        {
          name: 'node',
          opType: node.type,
          domain: node.domain,
          input: named.map(({ name }) => name),
          output: outputs,
          attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
        },
      ],
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

/** Sessions by everything that is inside the model; tiles of the same make share one. */
const sessions = new Map<string, Promise<Ort.InferenceSession>>();

function sessionOf(node: OneNode): Promise<Ort.InferenceSession> {
  const bytes = modelBytes(node);
  const key = Buffer.from(bytes).toString('latin1');
  let session = sessions.get(key);
  if (!session) {
    session = InferenceSession.create(bytes, {
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
      enableCpuMemArena: false,
    });
    sessions.set(key, session);
  }
  return session;
}

/** Frees the sessions kept so far; between cases, so that a long property does not hold thousands. */
export async function forget(): Promise<void> {
  const made = [...sessions.values()];
  sessions.clear();
  for (const session of await Promise.allSettled(made)) {
    if (session.status === 'fulfilled') await session.value.release();
  }
}

const toOrt = (array: Dense): Ort.Tensor =>
  array.dtype === 'string'
    ? new Tensor('string', textsOf(array), array.shape)
    : new Tensor(array.dtype, array.data, array.shape);

function fromOrt(tensor: Ort.Tensor): Dense {
  if (!isDType(tensor.type)) throw new Error(`an output of type ${tensor.type}`);
  const data = tensor.data;
  if (tensor.type === 'string') return dense('string', tensor.dims, (i) => numberOf(String(data[i])));
  if (!ArrayBuffer.isView(data)) throw new Error('an output that is no typed array');
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dtype: tensor.type, shape: tensor.dims, data: arrayOver(tensor.type, bytes) };
}

/** The outputs; null for those not used. */
export async function run(node: OneNode): Promise<(Dense | null)[]> {
  const session = await sessionOf(node);
  const feeds: Record<string, Ort.Tensor> = {};
  for (const [i, input] of node.inputs.entries()) {
    if (input && !input.constant) feeds[`x${i}`] = toOrt(input.array);
  }
  const results = await session.run(feeds);
  return node.outputs.map((used, i) => (used ? fromOrt(results[`y${i}`]!) : null));
}

/** An operator that was run whole, and how a rule sees it. */
export interface WholeRun {
  readonly made: OneNode;
  readonly node: Node;
  readonly outputs: readonly (Dense | null)[];
}

/** Runs an example whole. */
export async function runWhole(given: Case): Promise<WholeRun> {
  const random = generator(given.seed ?? 1);
  const inputs = given.inputs.map(
    (input): Fed => input && { array: fill(input, random), constant: input.constant ?? false },
  );
  const made: OneNode = {
    type: given.type,
    domain: given.domain ?? '',
    opset: given.opset ?? (given.domain ? 1 : 17),
    attributes: given.attributes ?? {},
    inputs,
    outputs: given.outputs ?? [true],
  };
  const outputs = await run(made);
  const operand = (array: Dense, name: string, constant: boolean): Operand => ({
    tensor: { name, dtype: array.dtype, shape: array.shape, role: 'inner' },
    shape: array.shape,
    ...((constant && array.dtype !== 'string') || array.data.length === 0 ? { constant: numbers(array) } : {}),
  });
  const node: Node = {
    name: 'node',
    type: made.type,
    opset: made.opset,
    attributes: made.attributes,
    inputs: inputs.map((input, i) => input && operand(input.array, `x${i}`, input.constant)),
    outputs: outputs.map((output, i) => output && operand(output, `y${i}`, false)),
  };
  return { made, node, outputs };
}
