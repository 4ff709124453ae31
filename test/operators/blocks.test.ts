import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { f32, int, prove, text } from './brute-force.ts';
import { rows } from './suite.ts';

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

test.run();
