/** Texts are cut like numbers. */
import { suite } from 'uvu';
import { f32, index, int, ints, longs, of, text, texts, words } from './brute-force.ts';
import { rows, wholes } from './suite.ts';

const test = suite('strings');

const x = of('string', 2, 3, 5);
const old = { domain: 'ai.onnx.ml', opset: 2 };

rows(test, [
  ['ncw->ncw', 'cnw', { type: 'Identity', inputs: [x] }],
  ['ncw,w->ncw', 'cnw', { type: 'StringConcat', opset: 20, inputs: [x, of('string', 5)] }],
  ['ncw,cw->ncw', 'cnw', { type: 'Equal', opset: 19, inputs: [x, of('string', 3, 1)] }],
  ['ncw->nwc', 'cnw', { type: 'Transpose', inputs: [x], attributes: { perm: ints(0, 2, 1) } }],
  ['ncw,*,*->ncw', 'cnw', { type: 'Slice', inputs: [x, longs(0), longs(2)] }],
  [
    'nc,nc->nc',
    'cn',
    { type: 'Concat', inputs: [of('string', 2, 3), of('string', 2, 4)], attributes: { axis: int(1) } },
  ],
  ['aw,nc->ncw', 'cn', { type: 'Gather', inputs: [of('string', 4, 3), index(4, 2, 5)] }],
  ['ncw->ncw', 'cnw', { type: 'RegexFullMatch', opset: 20, inputs: [x], attributes: { pattern: text('[a-z]+') } }],
  ['n->n', 'n', { type: 'StringNormalizer', inputs: [of('string', 6)], attributes: { is_case_sensitive: int(1) } }],
  [
    'ncw->ncw',
    'cnw',
    {
      ...old,
      type: 'LabelEncoder',
      inputs: [x],
      attributes: { keys_strings: texts('one', 'two'), values_int64s: ints(1, 2), default_int64: int(9) },
    },
  ],
  [
    'ncw->ncw',
    'cnw',
    {
      ...old,
      opset: 1,
      type: 'CategoryMapper',
      inputs: [index(3, 2, 3, 5)],
      attributes: { cats_strings: texts('one', 'two'), cats_int64s: ints(1, 2), default_string: text('none') },
    },
  ],
  [
    'nc->n,nk',
    'n',
    {
      ...old,
      opset: 1,
      type: 'LinearClassifier',
      inputs: [f32(5, 3)],
      attributes: {
        coefficients: { kind: 'floats', value: [1, 2, 3, 3, 2, 1] },
        intercepts: { kind: 'floats', value: [0.1, 0.2] },
        classlabels_strings: texts('one', 'two'),
      },
      outputs: [true, true],
    },
  ],
]);

wholes(test, [
  [
    'how many words are left',
    {
      type: 'StringNormalizer',
      inputs: [words('one', 'two', 'four')],
      attributes: { is_case_sensitive: int(1), stopwords: texts('two') },
    },
  ],
  [
    'longest text',
    { type: 'StringSplit', opset: 20, inputs: [x], attributes: { delimiter: text('e') }, outputs: [true, true] },
  ],
]);

test.run();
