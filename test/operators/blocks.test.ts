import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Case, f32, int, prove, text } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('blocks');

rows(test, [
  ['nchw->nchw', 'hnw', { type: 'DepthToSpace', inputs: [f32(2, 8, 3, 4)], attributes: { blocksize: int(2) } }],
  [
    'nchw->nchw',
    'chnw',
    { type: 'DepthToSpace', inputs: [f32(2, 18, 3, 2)], attributes: { blocksize: int(3), mode: text('CRD') } },
  ],
  ['nchw->nchw', 'hnw', { type: 'SpaceToDepth', inputs: [f32(2, 3, 6, 8)], attributes: { blocksize: int(2) } }],
]);

test('whole blocks need no crop', async () => {
  const { cut } = await prove({ type: 'DepthToSpace', inputs: [f32(1, 4, 3, 4)], attributes: { blocksize: int(2) } });
  assert.is(cut.tile({ n: [0, 1], c: [0, 1], h: [2, 6], w: [0, 8] }).crop, undefined);
});

const size = fc.integer({ min: 1, max: 4 });
const blocks = fc
  .record({ block: fc.integer({ min: 1, max: 3 }), n: fc.integer({ min: 1, max: 2 }), c: size, h: size, w: size })
  .chain(({ block, n, c, h, w }) =>
    fc.constantFrom<Case>(
      ...['DCR', 'CRD'].map((mode) => ({
        type: 'DepthToSpace',
        inputs: [f32(n, c * block ** 2, h, w)],
        attributes: { blocksize: int(block), mode: text(mode) },
      })),
      { type: 'SpaceToDepth', inputs: [f32(n, c, h * block, w * block)], attributes: { blocksize: int(block) } },
    ),
  );
property(test, 'any blocks', 'chnw', blocks, 60);

test.run();
