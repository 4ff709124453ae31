/** NumPy's .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), little-endian, C order. */
import { readFile, writeFile } from 'node:fs/promises';
import { bytesPerElement, dtypes, type NumericDType } from './dtype.ts';
import { ShardonnxError } from './error.ts';
import type { Tensor } from './program.ts';
import { bytesOf, elements, tensorOver } from './tensor.ts';

const DESCR: Readonly<Record<NumericDType, string>> = {
  float32: '<f4',
  float64: '<f8',
  float16: '<f2',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
  bool: '|b1',
};
const DTYPE = new Map(dtypes.filter((dtype) => dtype !== 'string').map((dtype) => [DESCR[dtype], dtype]));
const MAGIC = '\x93NUMPY';

/** @throws npy-invalid, npy-unsupported */
export async function readNpy(file: string): Promise<Tensor> {
  const bytes = await readFile(file).catch((cause) => {
    throw npyInvalid(file, cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`);
  });
  return decodeNpy(bytes, file);
}

export async function writeNpy(file: string, tensor: Tensor): Promise<void> {
  await writeFile(file, encodeNpy(tensor));
}

/** @param file for messages. @throws npy-invalid, npy-unsupported */
export function decodeNpy(bytes: Buffer, file: string): Tensor {
  if (bytes.length < 10 || bytes.toString('latin1', 0, 6) !== MAGIC) throw npyInvalid(file, 'is not a .npy file');
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw npyUnsupported(file, `version ${version}`, 'numpy.save writes version 1');
  const begin = version === 1 ? 10 : 12;
  if (bytes.length < begin) throw npyInvalid(file, 'ends in its header');
  const end = begin + (version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  if (bytes.length < end) throw npyInvalid(file, 'ends in its header');
  const { dtype, dims } = parseHeader(bytes.toString('utf8', begin, end), file);
  const expected = elements(dims) * bytesPerElement(dtype);
  if (bytes.length - end !== expected) {
    throw npyInvalid(file, `holds ${bytes.length - end} bytes of data, its header says ${expected}`);
  }
  const tensor = tensorOver(dtype, dims, bytes.subarray(end));
  if (!tensor) throw npyInvalid(file, 'cannot be read');
  return tensor;
}

/** @throws npy-unsupported for strings */
export function encodeNpy(tensor: Tensor): Buffer {
  const { type, dims } = tensor;
  if (type === 'string') throw npyUnsupported('.npy', 'strings', 'take the outputs from the library instead');
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const fields = `{'descr': '${DESCR[type]}', 'fortran_order': False, 'shape': (${shape}), }`;
  // Data begin at a multiple of 64.
  const length = Math.ceil((10 + fields.length + 1) / 64) * 64 - 10;
  const head = Buffer.alloc(10);
  head.write(MAGIC, 'latin1');
  head[6] = 1;
  head.writeUInt16LE(length, 8);
  return Buffer.concat([head, Buffer.from(`${fields.padEnd(length - 1)}\n`, 'latin1'), bytesOf(tensor)]);
}

function parseHeader(header: string, file: string): { dtype: NumericDType; dims: number[] } {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || shape === undefined) {
    if (/'descr'\s*:\s*\[/.test(header)) throw npyUnsupported(file, 'records', 'save one plain array');
    throw npyInvalid(file, 'has no readable header');
  }
  const dims = shape.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number.parseInt(size, 10)]));
  if (fortran === 'True' && dims.length > 1) {
    throw npyUnsupported(file, 'Fortran order', 'save numpy.ascontiguousarray(x)');
  }
  if (descr.startsWith('>')) throw npyUnsupported(file, 'big-endian numbers', `save x.astype("<${descr.slice(1)}")`);
  const dtype = DTYPE.get(descr);
  if (!dtype) throw npyUnsupported(file, `dtype ${descr}`, `one of ${[...DTYPE.keys()].join(' ')}`);
  return { dtype, dims };
}

const npyInvalid = (file: string, what: string) =>
  new ShardonnxError('npy-invalid', `${file} ${what}`, { hint: 'give the path of a file that numpy.save wrote' });

const npyUnsupported = (file: string, what: string, hint: string) =>
  new ShardonnxError('npy-unsupported', `${file}: ${what} cannot be read or written`, { hint });
