import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Case, f32, int, ints, longs, prove } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('concat');

rows(test, [
  [
    'nchw,nchw->nchw',
    'chnw',
    { type: 'Concat', inputs: [f32(2, 3, 4, 5), f32(2, 2, 4, 5)], attributes: { axis: int(1) } },
  ],
  ['nc,nc,nc->nc', 'cn', { type: 'Concat', inputs: [f32(2, 3), f32(2, 1), f32(2, 4)], attributes: { axis: int(-1) } }],
  ['n,n->n', 'n', { type: 'Concat', inputs: [f32(3), f32(4)], attributes: { axis: int(0) } }],
  ['nc,nc->nc', 'cn', { type: 'Concat', opset: 4, inputs: [f32(3, 2), f32(3, 2)], attributes: { axis: int(1) } }],
  [
    'nchw->nchw,nahw',
    'hnw',
    { type: 'Split', inputs: [f32(2, 4, 3, 2)], attributes: { axis: int(1) }, outputs: [true, true] },
  ],
  [
    'nc,*->nc,na,nb',
    'n',
    { type: 'Split', inputs: [f32(3, 9), longs(2, 3, 4)], attributes: { axis: int(-1) }, outputs: [true, true, true] },
  ],
  [
    'nc->nc,ac',
    'c',
    { type: 'Split', opset: 11, inputs: [f32(3, 4)], attributes: { split: ints(1, 2) }, outputs: [true, true] },
  ],
  [
    'nc->nc,na',
    'n',
    {
      type: 'Split',
      opset: 18,
      inputs: [f32(3, 7)],
      attributes: { axis: int(1), num_outputs: int(2) },
      outputs: [true, true],
    },
  ],
]);

test('a tile leaves out the inputs it does not overlap', async () => {
  const inputs = [f32(2, 3), f32(2, 1), f32(2, 4)];
  const { cut } = await prove({ type: 'Concat', inputs, attributes: { axis: int(1) } });
  assert.equal(cut.tile({ n: [0, 2], c: [4, 6] }).inputs, [
    null,
    null,
    [
      [0, 2],
      [0, 2],
    ],
  ]);
  assert.equal(cut.tile({ n: [0, 1], c: [2, 4] }).inputs, [
    [
      [0, 1],
      [2, 3],
    ],
    [
      [0, 1],
      [0, 1],
    ],
    null,
  ]);
});

const joined = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    axis: fc.nat(3),
    sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ shape, axis, sizes }): Case => {
    const at = axis % shape.length;
    return {
      type: 'Concat',
      inputs: sizes.map((size) => f32(...shape.map((extent, i) => (i === at ? size : extent)))),
      attributes: { axis: int(at) },
    };
  });
property(test, 'any concatenation', 'chnw', joined);

test.run();
