/** Which node it is that onnxruntime fails over, where onnxruntime does not say. */
import { capturesOf, type Draft, type DraftNode, nodeLabel, putTogether } from './draft.ts';
import type { EndedError, RefusedError } from './guard/guard.ts';
import { trial } from './normalise.ts';
import { decodeValueInfo } from './proto.ts';
import { topological } from './topological.ts';
import { field } from './wire.ts';

/** Nobody wants to wait longer for the name of a node. */
const PATIENCE_SECONDS = 3;

/**
 * The node with which a beginning of the graph comes to fail in this way, found by halving; undefined if that takes too long, or if
 * the failure does not happen again.
 */
export async function culprit(
  draft: Draft,
  isIt: (failure: RefusedError | EndedError) => boolean,
  seconds = PATIENCE_SECONDS,
): Promise<string | undefined> {
  const end = performance.now() + 1000 * seconds;
  const nodes = inOrder(draft.nodes);
  const fails = async (count: number): Promise<boolean> => {
    const model = putTogether(beginning({ ...draft, nodes }, count));
    const failure = await trial(model, Math.max(0, end - performance.now()) / 1000);
    return failure !== undefined && isIt(failure);
  };
  if (!(await fails(nodes.length))) return undefined;
  let [fine, failing] = [0, nodes.length];
  while (failing - fine > 1) {
    const middle = Math.floor((fine + failing) / 2);
    if (await fails(middle)) failing = middle;
    else fine = middle;
    if (performance.now() > end) return undefined;
  }
  const node = nodes[failing - 1];
  return node && nodeLabel(node.proto);
}

function inOrder(nodes: readonly DraftNode[]): DraftNode[] {
  const steps = nodes.map(({ proto }) => ({ reads: [...proto.input, ...capturesOf(proto)], writes: proto.output }));
  const sorted = topological(steps);
  return 'order' in sorted ? sorted.order.map((i) => nodes[i]!) : [...nodes];
}

/** The first `count` nodes; the last one's values are the outputs. */
function beginning(draft: Draft, count: number): Draft {
  const nodes = draft.nodes.slice(0, count);
  const made = nodes.at(-1)?.proto.output.filter((name) => name !== '') ?? [];
  return { ...draft, nodes, outputs: made.map((name) => decodeValueInfo(field(1, name))) };
}
