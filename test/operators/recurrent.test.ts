import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, type Input, int, reals, text, texts } from './brute-force.ts';
import { property, rows } from './suite.ts';

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
    'bd',
    {
      type: 'LSTM',
      inputs: [f32(3, 4, 5), f32(2, 8, 5), f32(2, 8, 2), f32(2, 16), lengths, f32(2, 4, 2), f32(2, 4, 2)],
      attributes: both,
      outputs: [true, true, true],
    },
  ],
  [
    'sbi,dgi,dgr,,,dbh->sdbh',
    'bd',
    { type: 'GRU', inputs: [f32(3, 4, 5), f32(2, 6, 5), f32(2, 6, 2), null, null, f32(2, 4, 2)], attributes: both },
  ],
]);

/** Gates, and activations a direction. */
const KINDS = { GRU: [3, 2], LSTM: [4, 3], RNN: [1, 1] } as const;
const layers = fc
  .record({
    type: fc.constantFrom('GRU', 'LSTM', 'RNN'),
    direction: fc.constantFrom('forward', 'reverse', 'bidirectional'),
    bias: fc.boolean(),
    lengths: fc.boolean(),
    initial: fc.boolean(),
    named: fc.boolean(),
    first: fc.boolean(),
    s: fc.integer({ min: 1, max: 4 }),
    hidden: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ type, direction, bias, lengths: varied, initial, named, first, s, hidden: h }): Case => {
    const [gates, count] = KINDS[type];
    const d = direction === 'bidirectional' ? 2 : 1;
    const names = ['Sigmoid', 'Tanh', 'Relu', 'Tanh', 'Sigmoid', 'Relu'];
    return {
      type,
      inputs: [
        f32(s, 4, 3),
        f32(d, gates * h, 3),
        f32(d, gates * h, h),
        bias ? f32(d, 2 * gates * h) : null,
        varied ? { dtype: 'int32', shape: [4], range: [1, s + 1] } : null,
        initial ? f32(d, 4, h) : null,
        ...(initial && type === 'LSTM' ? [f32(d, 4, h), f32(d, 3 * h)] : []),
      ],
      attributes: {
        hidden_size: int(h),
        direction: text(direction),
        ...(named ? { activations: texts(...names.slice(0, d * count)) } : {}),
        ...(type === 'GRU' ? { linear_before_reset: int(varied ? 1 : 0) } : {}),
      },
      outputs: type === 'LSTM' ? [first, true, true] : [first, true],
    };
  });
property(test, 'any recurrent layer', 'bd', layers, 60);

rows(test, [
  [
    'sbi,dgi,dgr->sdbh',
    'b',
    {
      type: 'RNN',
      inputs: [f32(3, 4, 5), f32(2, 2, 5), f32(2, 2, 2)],
      attributes: { ...both, activations: texts('LeakyRelu', 'Tanh'), activation_alpha: reals(0.1) },
    },
  ],
]);

test.run();
