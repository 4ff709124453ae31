import { suite } from 'uvu';
import { f32, type Input, int, text } from './brute-force.ts';
import { rows } from './suite.ts';

const test = suite('recurrent');

const lengths: Input = { dtype: 'int32', shape: [4], range: [1, 4] };
const both = { hidden_size: int(2), direction: text('bidirectional') };

rows(test, [
  [
    'sbi,dgi,dgr->,dbh',
    'b',
    {
      type: 'RNN',
      inputs: [f32(3, 4, 5), f32(1, 2, 5), f32(1, 2, 2)],
      attributes: { hidden_size: int(2) },
      outputs: [false, true],
    },
  ],
  [
    'sbi,dgi,dgr,dq,b,dbh,dbh->sdbh,dbh,dbh',
    'b',
    {
      type: 'LSTM',
      inputs: [f32(3, 4, 5), f32(2, 8, 5), f32(2, 8, 2), f32(2, 16), lengths, f32(2, 4, 2), f32(2, 4, 2)],
      attributes: both,
      outputs: [true, true, true],
    },
  ],
  [
    'sbi,dgi,dgr,,,dbh->sdbh',
    'b',
    { type: 'GRU', inputs: [f32(3, 4, 5), f32(2, 6, 5), f32(2, 6, 2), null, null, f32(2, 4, 2)], attributes: both },
  ],
]);

test.run();
