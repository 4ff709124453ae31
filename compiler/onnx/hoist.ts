/** Big weights inside the graphs of If, Loop and Scan become weights of the main graph, which those graphs use by name. */
import type { DraftNode } from './draft.ts';
import { graphsOf } from './decode.ts';
import { tensorProto } from './encode.ts';
import { readForeign } from './foreign.ts';
import { decodeNode, decodeTensor, decodeValueInfo, type GraphProto, type NodeProto, onnx, type TensorProto } from './proto.ts';
import { constantTensor, isBig, type Weight, weightOf } from './weights.ts';
import { editFields, type Field, field, fieldsOf, wire } from './wire.ts';

const nodeField = { input: 1, attribute: 5 } as const;
const graphField = { node: 1, initializer: 5, input: 11, output: 12 } as const;

/**
 * The node with its graphs' big weights left out.
 * @param label begins the names of the weights
 * @param hoist takes a weight and returns the name it now has
 */
export function hoistWeights(
  file: string,
  { bytes }: DraftNode,
  hoist: (weight: Weight) => string,
): DraftNode {
  const edited = new Hoister(file, hoist).node(bytes, new Map());
  return { bytes: edited, proto: decodeNode(edited) };
}

/** Whether a node's graphs hold tensors at all. */
export const hasInnerTensors = (node: NodeProto): boolean =>
  graphsOf(node).some(
    (graph) => graph.initializer.length > 0 || graph.node.some((inner) => constantTensor(inner) || hasInnerTensors(inner)),
  );

/** Every name in the node's graphs. */
export const innerNames = (node: NodeProto): string[] =>
  graphsOf(node).flatMap((graph: GraphProto) => [
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap((inner) => [...inner.output, ...innerNames(inner)]),
  ]);

type Renames = ReadonlyMap<string, string>;

class Hoister {
  readonly #file: string;
  readonly #hoist: (weight: Weight) => string;

  constructor(file: string, hoist: (weight: Weight) => string) {
    this.#file = file;
    this.#hoist = hoist;
  }

  node(bytes: Uint8Array, renames: Renames): Uint8Array {
    return editFields(bytes, ({ number, payload, wire: type }) => {
      if (type !== wire.bytes) return undefined;
      if (number === nodeField.attribute) return field(number, this.#attribute(payload, renames));
      const renamed = number === nodeField.input ? renames.get(Buffer.from(payload).toString()) : undefined;
      return renamed === undefined ? undefined : field(number, renamed);
    });
  }

  #attribute(bytes: Uint8Array, renames: Renames): Uint8Array {
    return editFields(bytes, ({ number, payload, wire: type }) =>
      type === wire.bytes && (number === 6 || number === 11) ? field(number, this.#graph(payload, renames)) : undefined,
    );
  }

  #graph(bytes: Uint8Array, outer: Renames): Uint8Array {
    const fields = [...fieldsOf(bytes)].filter(({ wire: type }) => type === wire.bytes);
    const renames = new Map(outer);
    // What the graph makes itself hides what is outside.
    for (const name of fields.flatMap(madeBy)) renames.delete(name);
    const moved = new Map<string, string>();
    const left = new Map<number, Uint8Array>();
    for (const [i, found] of fields.entries()) {
      const rest = this.#withoutWeight(found, moved);
      if (rest) left.set(i, rest);
    }
    for (const [from, to] of moved) renames.set(from, to);
    let i = 0;
    const edited = editFields(bytes, (found) => {
      if (found.wire !== wire.bytes) return undefined;
      const rest = left.get(i++);
      if (rest) return rest;
      return found.number === graphField.node ? field(found.number, this.node(found.payload, renames)) : undefined;
    });
    const outputs = fields.filter(({ number }) => number === graphField.output).map(({ payload }) => decodeValueInfo(payload).name);
    return Buffer.concat([edited, ...outputs.flatMap((name) => identity(moved.get(name), name))]);
  }

  /** The field without its tensor, if that is moved out; with the bytes inside, if they were in a file. */
  #withoutWeight({ number, payload }: Field, moved: Map<string, string>): Uint8Array | undefined {
    if (number === graphField.initializer) {
      const tensor = decodeTensor(payload);
      const weight = weightOf(this.#file, tensor);
      if (weight && isBig(weight)) {
        moved.set(tensor.name, this.#hoist(weight));
        return new Uint8Array(0);
      }
      return field(number, onnx.TensorProto.encode(this.#inside(tensor, weight)).finish());
    }
    if (number !== graphField.node) return undefined;
    const node = decodeNode(payload);
    const tensor = constantTensor(node);
    const weight = tensor && weightOf(this.#file, tensor, node.output[0]);
    if (!weight || !isBig(weight)) return undefined;
    moved.set(weight.name, this.#hoist(weight));
    return new Uint8Array(0);
  }
}
