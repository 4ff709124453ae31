/** Recurrent layers: free along the batch; time, directions and state run whole. */
import { byLetters, type Family, int, type Rule, whole } from './rule.ts';

/**
 * X: [s,b,i], W: [d,g,i], R: [d,g,h], B: [d,2g], lengths: [b], initial states: [d,b,h], peepholes: [d,p].
 * Y: [s,d,b,h], last states: [d,b,h].
 */
const recurrent: Rule = (node) => {
  if (int(node, 'layout') === 1) return whole('onnxruntime does not run batches first');
  const inputs = ['sbi', 'dgi', 'dgr', 'dq', 'b', 'dbh', 'dbh', 'dp'];
  const outputs = ['sdbh', 'dbh', 'dbh'];
  const reasons = {
    s: 'each step needs the one before it',
    d: 'the directions share their weights’ tensor',
    h: 'each step needs the whole state',
    i: 'each gate needs the whole input',
    g: 'each gate needs all its weights',
    r: 'each step needs the whole state',
    q: 'each gate needs all its weights',
    p: 'each gate needs all its weights',
  };
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: node.outputs.map((output, i) => (output ? outputs[i]! : null)),
    whole: reasons,
  });
};

export const recurrentFamily: Family = { GRU: recurrent, LSTM: recurrent, RNN: recurrent };
