/** A model over which onnxruntime's process ended → our errors, naming the node where that is found quickly. */
import type { CompileError } from '../error.ts';
import { capturesOf, type Draft, type DraftNode, nodeLabel, putTogether } from './draft.ts';
import { onnxruntimeCrashed, onnxruntimeMemory, onnxruntimeStart, onnxruntimeTimeout } from './errors.ts';
import { type EndedError, mostMemory } from './guard/guard.ts';
import { isFatal } from './normalise.ts';
import { decodeValueInfo } from './proto.ts';
import { topological } from './topological.ts';
import { field } from './wire.ts';

/** Seconds to look for the node. */
const SEARCH_SECONDS = 3;

/** @param error thrown by `normalise` */
export async function explainEnd(draft: Draft, error: EndedError): Promise<CompileError> {
  const { file } = draft;
  switch (error.how) {
    case 'start':
      return onnxruntimeStart(file, error.message, error);
    case 'time':
      return onnxruntimeTimeout(file, error.message, error);
    case 'memory':
      return onnxruntimeMemory(file, await culprit(draft), `${(mostMemory / 2 ** 30).toFixed(1)} GiB`, error);
    case 'crash':
      return onnxruntimeCrashed(file, await culprit(draft), error.message, error);
    default:
      return error.how satisfies never;
  }
}

/** The node with which a beginning of the graph becomes fatal, found by halving; undefined if that takes too long. */
async function culprit(draft: Draft): Promise<string | undefined> {
  const end = performance.now() + 1000 * SEARCH_SECONDS;
  const nodes = inOrder(draft.nodes);
  const isFatalUpTo = (count: number) =>
    isFatal(putTogether(beginning({ ...draft, nodes }, count)), Math.max(0, end - performance.now()) / 1000);
  // What does not happen again is no node's fault.
  if (!(await isFatalUpTo(nodes.length))) return undefined;
  let [harmless, fatal] = [0, nodes.length];
  while (fatal - harmless > 1) {
    const middle = Math.floor((harmless + fatal) / 2);
    if (await isFatalUpTo(middle)) fatal = middle;
    else harmless = middle;
    if (performance.now() > end) return undefined;
  }
  return nodeLabel(nodes[fatal - 1]!.proto);
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
