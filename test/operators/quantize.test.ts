import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, type Input, int, ints } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('quantize');

const u8 = (...shape: number[]): Input => ({ dtype: 'uint8', shape, range: [0, 200] });
const i8 = (...shape: number[]): Input => ({ dtype: 'int8', shape, range: [-90, 90] });
const i32 = (...shape: number[]): Input => ({ dtype: 'int32', shape, range: [-900, 900] });
const scale = (...shape: number[]): Input => ({ dtype: 'float32', shape, range: [0.01, 0.05] });

const quantized = (attributes: Case['attributes'], channels: number, w: Input): Case => ({
  type: 'QLinearConv',
  inputs: [u8(2, 4, 5, 4), scale(), u8(), w, scale(channels), i8(channels), scale(), u8(), i32(channels)],
  attributes: attributes ?? {},
});
const zero: Input = { dtype: 'int8', shape: [4], values: [0, 0, 0, 0] };

rows(test, [
  ['nchw,*,*->nchw', 'chnw', { type: 'QuantizeLinear', inputs: [f32(2, 3, 4, 5), scale(), u8()] }],
  ['nchw,c,c->nchw', 'chnw', { type: 'QuantizeLinear', inputs: [f32(2, 3, 4, 5), scale(3), u8(3)] }],
  ['ncw,w->ncw', 'cnw', { type: 'QuantizeLinear', inputs: [f32(2, 3, 4), scale(4)], attributes: { axis: int(-1) } }],
  [
    'nc,nc,nc->nc',
    'cn',
    {
      type: 'QuantizeLinear',
      opset: 21,
      inputs: [f32(3, 8), scale(3, 4), u8(3, 4)],
      attributes: { block_size: int(2) },
    },
  ],
  ['nchw,c,c->nchw', 'chnw', { type: 'DequantizeLinear', inputs: [u8(2, 3, 4, 5), scale(3), u8(3)] }],
  ['n,*->n', 'n', { type: 'DequantizeLinear', inputs: [i32(5), scale()] }],
  [
    'nc,nc->nc',
    'cn',
    {
      type: 'DequantizeLinear',
      opset: 21,
      inputs: [u8(6, 3), scale(2, 3)],
      attributes: { axis: int(0), block_size: int(3) },
    },
  ],
  ['mk,kn,*,n->mn', 'kmn', { type: 'MatMulInteger', inputs: [u8(3, 5), i8(5, 4), u8(), i8(4)] }],
  ['bmk,kn->bmn', 'bkmn', { type: 'MatMulInteger', inputs: [u8(2, 3, 5), u8(5, 4)] }],
  [
    'mk,*,*,kn,n,n,*,*->mn',
    'mn',
    { type: 'QLinearMatMul', inputs: [u8(3, 5), scale(), u8(), i8(5, 4), scale(4), i8(4), scale(), u8()] },
  ],
  [
    'bmk,*,*,kn,*,*,*,*->bmn',
    'bmn',
    { type: 'QLinearMatMul', inputs: [u8(2, 3, 5), scale(), u8(), u8(5, 4), scale(), u8(), scale(), u8()] },
  ],
  [
    'nchw,ocyx,*->nohw',
    'chnow',
    { type: 'ConvInteger', inputs: [u8(2, 3, 6, 5), u8(4, 3, 3, 3), u8()], attributes: { pads: ints(1, 1, 1, 1) } },
  ],
  [
    'nohw,oiyx->nohw',
    'hnow',
    { type: 'ConvInteger', inputs: [u8(2, 4, 6, 5), u8(4, 2, 3, 3)], attributes: { group: int(2) } },
  ],
]);
rows(test, [
  ['nchw,*,*,ocyx,o,o,*,*,o->nohw', 'hnow', withZero(quantized({ pads: ints(1, 1, 1, 1) }, 4, i8(4, 4, 3, 3)))],
  [
    'nohw,*,*,oiyx,o,o,*,*,o->nohw',
    'hnow',
    withZero(quantized({ group: int(2), strides: ints(2, 1) }, 4, i8(4, 2, 3, 3))),
  ],
]);

/** onnxruntime wants the weight's zero points to be 0. */
function withZero(given: Case): Case {
  return { ...given, inputs: given.inputs.map((input, i) => (i === 5 ? zero : input)) };
}

/** One scale for all, one a place along the axis, or one a block of places there. */
const scaled = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    axis: fc.nat(3),
    negative: fc.boolean(),
    kind: fc.constantFrom('all', 'axis', 'block'),
    block: fc.integer({ min: 1, max: 3 }),
    zero: fc.boolean(),
    bytes: fc.boolean(),
  })
  .map(({ shape, axis, negative, kind, block, zero: hasZero, bytes }): Case => {
    const at = axis % shape.length;
    const blocks = shape.map((extent, i) => (i === at ? Math.ceil(extent / block) : extent));
    // onnxruntime takes one scale of a vector for one of all.
    const one = blocks.length === 1 && blocks[0] === 1;
    const parameters = kind === 'all' ? [] : kind === 'axis' || one ? [shape[at]!] : blocks;
    return {
      type: bytes ? 'DequantizeLinear' : 'QuantizeLinear',
      opset: 21,
      inputs: [(bytes ? u8 : f32)(...shape), scale(...parameters), ...(hasZero ? [u8(...parameters)] : [])],
      attributes: {
        axis: int(negative ? at - shape.length : at),
        ...(kind === 'block' && !one ? { block_size: int(block) } : {}),
      },
    };
  });
property(test, 'any scales', 'chnw', scaled, 80);

test.run();
