/**
 * Recurrent layers: free along the batch and the directions; time and state run whole. Later steps begin in a state that no
 * tensor of the model holds, so no region of one says what they need: passes/unroll-recurrence.ts makes layers of their own of them.
 */
import type { Attributes } from '../ir/program.ts';
import type { Span } from '../ir/region.ts';
import { byLetters, type Family, int, type Node, type Rule, whole } from './rule.ts';

/** One of two directions, with its share of the activations. */
function oneDirection(node: Node, [begin]: Span): Attributes {
  const names = node.attributes.activations;
  const half = (values: readonly string[]) =>
    values.slice((begin * values.length) / 2, ((begin + 1) * values.length) / 2);
  return {
    direction: { kind: 'string', value: begin === 0 ? 'forward' : 'reverse' },
    ...(names?.kind === 'strings' ? { activations: { kind: 'strings', value: half(names.value) } } : {}),
  };
}

/** Why directions stay together; lists of parameters do not say which activation they belong to. */
const inseparable = (node: Node) =>
  node.attributes.activation_alpha || node.attributes.activation_beta
    ? 'its activations’ parameters do not say whose they are'
    : undefined;

/** At every step each gate multiplies the input and the state. */
function operationsOf(node: Node): number {
  const [steps, batch, inputs] = node.inputs[0]!.shape;
  const [directions, gates] = node.inputs[1]!.shape;
  return steps! * batch! * directions! * gates! * (inputs! + node.inputs[2]!.shape[2]!);
}

/**
 * X: [s,b,i], W: [d,g,i], R: [d,g,h], B: [d,2g], lengths: [b], initial states: [d,b,h], peepholes: [d,p].
 * Y: [s,d,b,h], last states: [d,b,h].
 */
const recurrent: Rule = (node) => {
  if (int(node, 'layout') === 1) return whole('onnxruntime does not run batches first');
  const inputs = ['sbi', 'dgi', 'dgr', 'dq', 'b', 'dbh', 'dbh', 'dp'];
  const outputs = ['sdbh', 'dbh', 'dbh'];
  const reasons = {
    s: 'each step needs the one before it: the pass unroll-recurrence makes a pipeline of it',
    h: 'each step needs the whole state: devices would exchange it at every step',
    i: 'each gate needs the whole input',
    g: 'each gate needs all its weights',
    r: 'each step needs the whole state',
    q: 'each gate needs all its weights',
    p: 'each gate needs all its weights',
  };
  const reason = inseparable(node);
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: node.outputs.map((output, i) => (output ? outputs[i]! : null)),
    whole: { ...reasons, ...(reason ? { d: reason } : {}) },
    operations: operationsOf(node),
    adjust: (tile, { d }) =>
      d![1] - d![0] < node.inputs[1]!.shape[0]! ? { ...tile, attributes: oneDirection(node, d!) } : tile,
  });
};

export const recurrentFamily: Family = { GRU: recurrent, LSTM: recurrent, RNN: recurrent };
