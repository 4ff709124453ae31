/** Big weights inside the graphs of If, Loop and Scan become weights of the main graph, which those graphs use by name. */
import { graphsOf } from './decode.ts';
import type { DraftNode } from './draft.ts';
import { readForeign } from './foreign.ts';
import { createNode, decodeNode, type GraphProto, type NodeProto, onnx, type TensorProto } from './proto.ts';
import { constantTensor, inlineTensor, isBig, weightOf } from './tensors.ts';
import type { Weight } from './weights.ts';

/** Takes a weight to the main graph and returns the name it has there. */
type Hoist = (weight: Weight) => string;
type Renames = ReadonlyMap<string, string>;

/**
 * The node, its graphs without big weights; the same node if they have none.
 * @throws tensor-size, external-data-missing, external-data-short, external-data-outside
 */
export function hoistWeights(file: string, node: DraftNode, hoist: Hoist): DraftNode {
  if (!graphsOf(node.proto).some(holdsTensors)) return node;
  const proto = decodeNode(node.bytes);
  for (const graph of graphsOf(proto)) hoistFromGraph(file, graph, hoist, new Map());
  return { proto, bytes: onnx.NodeProto.encode(proto).finish() };
}

const holdsTensors = (graph: GraphProto): boolean =>
  graph.initializer.length > 0 || graph.node.some((node) => constantTensor(node) || graphsOf(node).some(holdsTensors));

/** Changes `graph`, which nobody else has. */
function hoistFromGraph(file: string, graph: GraphProto, hoist: Hoist, outer: Renames): void {
  const moved = new Map<string, string>();
  const move = (weight: Weight | undefined): boolean => {
    if (!weight || !isBig(weight)) return false;
    moved.set(weight.name, hoist(weight));
    return true;
  };
  const made = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
  for (const name of graph.node.flatMap(({ output }) => output)) made.add(name);
  graph.initializer = graph.initializer.flatMap((tensor): TensorProto[] => {
    const weight = weightOf(file, tensor);
    if (move(weight)) return [];
    return [weight ? inlineTensor(tensor, weight) : readForeign(file, tensor)];
  });
  graph.node = graph.node.filter((node) => {
    const tensor = constantTensor(node);
    return !move(tensor ? weightOf(file, tensor, node.output[0]) : undefined);
  });
  // What the graph makes itself hides what is outside.
  const renames = new Map([...[...outer].filter(([name]) => !made.has(name)), ...moved]);
  for (const node of graph.node) {
    node.input = node.input.map((name) => renames.get(name) ?? name);
    for (const inner of graphsOf(node)) hoistFromGraph(file, inner, hoist, renames);
  }
  // A graph's output must be made inside.
  for (const { name } of graph.output) {
    const hoisted = moved.get(name);
    if (hoisted !== undefined) graph.node.push(identity(hoisted, name));
  }
}

const identity = (input: string, output: string): NodeProto =>
  createNode({ name: `${output}/identity`, opType: 'Identity', input: [input], output: [output] });
