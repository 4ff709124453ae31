import { suite } from 'uvu';
import { longs } from './brute-force.ts';
import { rows, wholes } from './suite.ts';

const test = suite('generate');

rows(test, [
  ['*->ncw', 'cnw', { type: 'ConstantOfShape', inputs: [longs(3, 1 + 1, 4)] }],
  ['*->nc', 'cn', { type: 'ConstantOfShape', inputs: [{ ...longs(3, 2), constant: false }] }],
]);

wholes(test, [['empty', { type: 'ConstantOfShape', inputs: [longs(3, 0)] }]]);

test.run();
