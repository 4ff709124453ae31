import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, int } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('softmax');

const x = f32(2, 3, 4, 5);
rows(test, [
  ['nchw->nchw', 'chn', { type: 'Softmax', inputs: [x] }],
  ['nchw->nchw', 'chw', { type: 'Softmax', inputs: [x], attributes: { axis: int(-4) } }],
  // Before opset 13 all dimensions from the axis on are one.
  ['nchw->nchw', 'n', { type: 'Softmax', opset: 12, inputs: [x] }],
  ['nchw->nchw', 'chn', { type: 'Softmax', opset: 11, inputs: [x], attributes: { axis: int(-1) } }],
  ['nchw->nchw', 'cn', { type: 'LogSoftmax', opset: 11, inputs: [x], attributes: { axis: int(2) } }],
  ['nchw->nchw', 'hnw', { type: 'LogSoftmax', inputs: [x], attributes: { axis: int(1) } }],
  ['nchw->nchw', 'hnw', { type: 'Hardmax', inputs: [x], attributes: { axis: int(1) } }],
  ['nchw->nchw', 'n', { type: 'Hardmax', opset: 11, inputs: [x] }],
]);

const any = fc
  .record({
    type: fc.constantFrom('Softmax', 'LogSoftmax', 'Hardmax'),
    opset: fc.constantFrom(7, 11, 13),
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    axis: fc.nat(3),
  })
  .map(
    ({ type, opset, shape, axis }): Case => ({
      type,
      opset,
      inputs: [f32(...shape)],
      attributes: { axis: int(axis % shape.length) },
    }),
  );
property(test, 'any softmax', 'chnw', any);

test.run();
