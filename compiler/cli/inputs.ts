/** What `--input` takes: .npy, .png, .pb (TensorProto) or `random`, one for each of the model's inputs. */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { PNG } from 'pngjs';
import { arrayOver, dtypeOfOnnxNumber } from '../../runtime/dtype.ts';
import { decodeNpy, randomTensor, type Tensor, type TensorSpec, unknownInput } from '../../runtime/index.ts';
import { CompileError } from '../error.ts';
import { bytesOfTensor } from '../onnx/decode.ts';
import { decodeTensor, toNumber } from '../onnx/proto.ts';

const inputError = (message: string, hint: string, cause?: unknown) =>
  new CompileError('input', message, { hint, cause });

/** RGB from 0 to 1 as [1,3,h,w], grey as [1,1,h,w]; the picture is scaled to the input's size. */
function fromPng(bytes: Buffer, spec: TensorSpec): Tensor {
  const [batch, channels, height, width] = spec.shape;
  if (spec.dtype !== 'float32' || batch !== 1 || !(channels === 1 || channels === 3) || !height || !width) {
    throw inputError(`a picture does not fit "${spec.name}": ${spec.dtype}[${spec.shape}]`, 'give a .npy file');
  }
  const picture = PNG.sync.read(bytes);
  const data = new Float32Array(channels * height * width);
  const pixel = (x: number, y: number, c: number) => picture.data[4 * (y * picture.width + x) + c]! / 255;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = [
        Math.floor(((x + 0.5) * picture.width) / width),
        Math.floor(((y + 0.5) * picture.height) / height),
      ] as const;
      const rgb = [0, 1, 2].map((c) => pixel(...from, c));
      const values = channels === 3 ? rgb : [0.299 * rgb[0]! + 0.587 * rgb[1]! + 0.114 * rgb[2]!];
      for (const [c, value] of values.entries()) data[(c * height + y) * width + x] = value;
    }
  }
  return { type: 'float32', dims: [1, channels, height, width], data };
}

/** A serialized TensorProto, as ONNX's test data has them. */
export function fromProto(bytes: Uint8Array): Tensor {
  const proto = decodeTensor(bytes);
  const dtype = dtypeOfOnnxNumber(proto.dataType);
  const dims = proto.dims.map(toNumber);
  if (dtype === 'string')
    return { type: dtype, dims, data: proto.stringData.map((text) => Buffer.from(text).toString()) };
  const content = bytesOfTensor(proto);
  if (!dtype || !content) throw new Error(`data type ${proto.dataType}`);
  return { type: dtype, dims, data: arrayOver(dtype, content) };
}

async function readInput(file: string, spec: TensorSpec): Promise<Tensor> {
  const hint = 'give a .npy, .png or .pb file, or random';
  const bytes = await readFile(file).catch((cause: Error) => {
    throw inputError(`cannot read ${file}: ${cause.message}`, hint, cause);
  });
  const kind = extname(file).toLowerCase();
  if (kind === '.npy') return decodeNpy(bytes, file);
  try {
    if (kind === '.png') return fromPng(bytes, spec);
    if (kind === '.pb') return fromProto(bytes);
  } catch (cause) {
    if (cause instanceof CompileError) throw cause;
    throw inputError(`${file} is damaged: ${cause instanceof Error ? cause.message : cause}`, hint, cause);
  }
  throw inputError(`${file}: unknown kind of file`, hint);
}

/** @param given `FILE` (a model of one input), `NAME=FILE`, or `random` for all that is not named */
export async function readInputs(
  specs: readonly TensorSpec[],
  given: readonly string[],
): Promise<Record<string, Tensor>> {
  const byName = new Map<string, string>();
  for (const text of given.filter((one) => one !== 'random')) {
    const spec = specs.find(({ name }) => text.startsWith(`${name}=`));
    const [only] = specs;
    const wrong = spec ? undefined : /^([\w.:/-]+)=/.exec(text)?.[1];
    if (wrong !== undefined) throw unknownInput(specs, wrong);
    if (spec) byName.set(spec.name, text.slice(spec.name.length + 1));
    else if (only && specs.length === 1) byName.set(only.name, text);
    else
      throw inputError(
        `"${text}" names no input`,
        `write NAME=FILE; inputs are ${specs.map(({ name }) => name).join(', ') || 'none'}`,
      );
  }
  const missing = specs.filter(({ name }) => !byName.has(name));
  if (missing.length > 0 && byName.size > 0 && !given.includes('random')) {
    throw inputError(`no value for "${missing[0]!.name}"`, 'give --input for each, or add --input random for the rest');
  }
  const tensors: Record<string, Tensor> = {};
  for (const [seed, spec] of specs.entries()) {
    const file = byName.get(spec.name);
    tensors[spec.name] =
      file === undefined || file === 'random' ? randomTensor(spec, seed + 1) : await readInput(file, spec);
  }
  return tensors;
}
