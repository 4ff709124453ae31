import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attributes } from '../../compiler/ir/program.ts';
import {
  type Case,
  f32,
  float,
  type Input,
  i8,
  index,
  index32,
  int,
  ints,
  longs,
  of,
  prove,
  scale,
  text,
  u8,
} from './brute-force.ts';
import { property, type Row, rows } from './suite.ts';

const test = suite('com.microsoft');
const domain = 'com.microsoft';
const size = fc.integer({ min: 1, max: 4 });
const microsoft = (type: string, inputs: Case['inputs'], attributes: Attributes = {}, outputs = [true]): Case => ({
  type,
  domain,
  inputs,
  attributes,
  outputs,
});

const products = fc
  .record({
    batch: fc.array(size, { maxLength: 2 }),
    m: size,
    k: size,
    n: size,
    flags: fc.record({ a: fc.boolean(), b: fc.boolean(), batchA: fc.boolean(), batchB: fc.boolean() }),
  })
  .map(({ batch, m, k, n, flags }): Case => {
    // A batch dimension inside needs one to be there.
    const inside = batch.length > 0;
    const shape = (rows: number, columns: number, transposed: boolean, batchInside: boolean) => {
      const [first, second] = transposed ? [columns, rows] : [rows, columns];
      return batchInside ? [first, ...batch, second] : [...batch, first, second];
    };
    return microsoft(
      'FusedMatMul',
      [f32(...shape(m, k, flags.a, inside && flags.batchA)), f32(...shape(k, n, flags.b, inside && flags.batchB))],
      {
        transA: int(flags.a ? 1 : 0),
        transB: int(flags.b ? 1 : 0),
        transBatchA: int(inside && flags.batchA ? 1 : 0),
        transBatchB: int(inside && flags.batchB ? 1 : 0),
        alpha: float(0.5),
      },
    );
  });
property(test, 'any FusedMatMul', 'bhkmn', products, 60);

const nBits = fc
  .record({
    batch: fc.array(size, { maxLength: 1 }),
    m: size,
    n: fc.integer({ min: 1, max: 9 }),
    k: fc.integer({ min: 1, max: 80 }),
    bits: fc.constantFrom(4, 8),
    zeros: fc.constantFrom('none', 'packed', 'float'),
    flat: fc.boolean(),
    bias: fc.boolean(),
  })
  .map(({ batch, m, n, k, bits, zeros, flat, bias }): Case => {
    const blocks = Math.ceil(k / 16);
    const packed = Math.ceil((blocks * bits) / 8);
    const list = (columns: number) => (flat ? [n * columns] : [n, columns]);
    // Zero points that are floats go with 4 bits only.
    const zero = { none: null, packed: of('uint8', ...list(packed)), float: bits === 4 ? f32(...list(blocks)) : null }[
      zeros
    ];
    return microsoft(
      'MatMulNBits',
      [
        f32(...batch, m, k),
        { ...of('uint8', n, blocks, (16 * bits) / 8), range: [0, 256] },
        scale(...list(blocks)),
        zero && zeros === 'packed' ? { ...zero, range: [0, 256] } : zero,
        null,
        bias ? held(f32(n)) : null,
      ],
      { K: int(k), N: int(n), bits: int(bits), block_size: int(16) },
    );
  });
property(test, 'any MatMulNBits', 'jkmn', nBits, 80);

const zero = (...shape: number[]): Input => ({ dtype: 'int8', shape, values: Array<number>(8).fill(0) });
const pools = fc
  .record({
    h: fc.integer({ min: 3, max: 7 }),
    w: fc.integer({ min: 3, max: 7 }),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    pad: fc.integer({ min: 0, max: 1 }),
    last: fc.boolean(),
    type: fc.constantFrom('QLinearAveragePool', 'NhwcMaxPool', 'QLinearConv', 'QLinearGlobalAveragePool'),
  })
  .map(({ h, w, kernel, stride, pad, last, type }): Case => {
    const reach = Math.max(kernel, pad + 1);
    const slide = { strides: ints(stride, stride), pads: ints(pad, pad, pad, pad), kernel_shape: ints(reach, reach) };
    const attributes: Attributes = { ...slide, channels_last: int(last ? 1 : 0) };
    const x = last ? u8(2, h, w, 3) : u8(2, 3, h, w);
    if (type === 'NhwcMaxPool') return microsoft(type, [u8(2, h, w, 3)], slide);
    if (type === 'QLinearGlobalAveragePool') {
      return microsoft(type, [x, scale(), u8(), scale(), u8()], { channels_last: attributes.channels_last! });
    }
    if (type === 'QLinearAveragePool') return microsoft(type, [x, scale(), u8(), scale(), u8()], attributes);
    const weights = { ...i8(5, 3, reach, reach), constant: true };
    return microsoft(type, [x, scale(), u8(), weights, scale(5), zero(5), scale(), u8(), of('int32', 5)], attributes);
  });
property(test, 'any quantized pooling or convolution, channels second or last', 'chnow', pools, 60);

const causal = fc
  .record({
    last: fc.boolean(),
    kernel: fc.integer({ min: 2, max: 4 }),
    past: fc.boolean(),
    bias: fc.boolean(),
    b: size,
    c: size,
  })
  .map(
    ({ last, kernel, past, bias, b, c }): Case =>
      microsoft(
        'CausalConvWithState',
        [
          last ? f32(b, 5, c) : f32(b, c, 5),
          f32(c, 1, kernel),
          bias ? f32(c) : null,
          past ? (last ? f32(b, kernel - 1, c) : f32(b, c, kernel - 1)) : null,
        ],
        { channels_last: int(last ? 1 : 0), activation: text('silu') },
        [true, true],
      ),
  );
property(test, 'any CausalConvWithState', 'bc', causal);

const picture = f32(2, 4, 6, 5);
const kernel = f32(6, 4, 3, 3);
const padded = { pads: ints(1, 1, 1, 1) };
const fusedConv = (notation: string, letters: string, inputs: Case['inputs'], attributes: Attributes): Row => [
  notation,
  letters,
  microsoft('FusedConv', inputs, attributes),
];
rows(test, [
  fusedConv('nchw,ocyx,o->nohw', 'chnow', [picture, kernel, f32(6)], padded),
  fusedConv('nchw,ocyx,o,nohw->nohw', 'hnow', [picture, kernel, f32(6), f32(2, 6, 6, 5)], {
    ...padded,
    activation: text('Relu'),
  }),
  fusedConv('nohw,oiyx,,nohw->nohw', 'hnow', [picture, f32(6, 2, 3, 3), null, f32(2, 6, 4, 3)], { group: int(2) }),
  [
    'mk,*,*,kn,*,*,n,*,*->mn',
    'mn',
    microsoft('QGemm', [u8(3, 5), scale(), u8(), u8(5, 4), scale(), u8(), of('int32', 4), scale(), u8()]),
  ],
  [
    'km,*,*,nk,n,n->mn',
    'kmn',
    microsoft('QGemm', [u8(5, 3), scale(), u8(), u8(4, 5), scale(4), u8(4)], { transA: int(1), transB: int(1) }),
  ],
  ['bmk,kn,*->bmn', 'n', microsoft('DynamicQuantizeMatMul', [f32(2, 3, 5), u8(5, 4), scale()])],
  ['bmk,kn,*,*->bmn', 'bkmn', microsoft('MatMulIntegerToFloat', [u8(2, 3, 5), u8(5, 4), scale(), scale()])],
  [
    'bsh,be,*,,*->bsh',
    'b',
    microsoft('MoE', [f32(3, 2, 8), f32(6, 4), f32(4, 6, 8), null, f32(4, 8, 6)], { k: int(1) }),
  ],
  [
    'bs,,aw,pw,,w,w,,bs->bsw,,bsw',
    'bs',
    microsoft(
      'EmbedLayerNormalization',
      [
        index32(9, 2, 3),
        null,
        ...[f32(9, 8), f32(7, 8)].map(held),
        null,
        held(f32(8)),
        held(f32(8)),
        null,
        index32(7, 2, 3),
      ],
      {},
      [true, false, true],
    ),
  ],
  [
    'bs,bs,aw,sw,gw,w,w,bs->bsw,b,',
    'b',
    microsoft(
      'EmbedLayerNormalization',
      [
        index32(9, 2, 3),
        index32(2, 2, 3),
        ...[f32(9, 8), f32(3, 8), f32(2, 8), f32(8), f32(8)].map(held),
        { ...index32(2, 2, 3), values: [1, 1, 0, 1, 0, 0] },
      ],
      {},
      [true, true, false],
    ),
  ],
  [
    'ncw,cw,w->ncw,,,ncw',
    'cn',
    microsoft('SkipLayerNormalization', [f32(2, 3, 8), f32(3, 8), f32(8)], {}, [true, false, false, true]),
  ],
  ['nc,nc,c->nc', 'n', microsoft('SkipSimplifiedLayerNormalization', [f32(4, 8), f32(4, 8), f32(8)])],
  [
    'bs,*,*,bp->bsh,bp',
    'b',
    microsoft(
      'NGramHashMapping',
      [index(9, 3, 5), longs(3, 5, 7), longs(7, 11), index(9, 3, 2)],
      { pad_id: int(0), n_head_per_ngram: int(1), max_ngram_size: int(3) },
      [true, true],
    ),
  ],
  [
    'ncyx,*->nchw',
    'n',
    microsoft('MaxpoolWithMask', [f32(3, 2, 5, 4), index32(2, 1, 1, 5, 4)], { kernel_shape: ints(2, 2) }),
  ],
  ['ncw->ncwa', 'cnw', microsoft('UnfoldTensor', [f32(2, 9, 3)], { dim: int(1), size: int(2), step: int(2) })],
  [
    '*,nc,*,*->ncw',
    'cn',
    microsoft('GatherBlockQuantized', [held(u8(9, 8)), index(9, 2, 3), held(scale(9, 1)), held(u8(9, 1))], {
      bits: int(4),
      block_size: int(16),
    }),
  ],
  [
    'ncab,coyx,*,o->nohw',
    'cno',
    microsoft('ConvTransposeWithDynamicPads', [picture, f32(4, 6, 3, 3), longs(1, 1, 1, 1), f32(6)]),
  ],
]);

function held(input: Input): Input {
  return { ...input, constant: true };
}

test('the bias of a quantized product is added once', async () => {
  const { cut } = await prove(
    microsoft('MatMulIntegerToFloat', [u8(3, 6), u8(6, 4), scale(), scale(4), u8(), u8(4), f32(4)]),
  );
  const spans = { m: [0, 3], n: [1, 4] } as const;
  assert.equal(cut.tile({ ...spans, k: [0, 2] }).inputs[6], [[1, 4]]);
  assert.is(cut.tile({ ...spans, k: [2, 6] }).inputs[6], undefined);
});

test.run();
