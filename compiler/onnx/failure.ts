/** How onnxruntime failed over a model → our errors. */
import type { CompileError } from '../error.ts';
import { culprit } from './culprit.ts';
import type { Draft } from './draft.ts';
import { onnxruntimeCrashed, onnxruntimeMemory, onnxruntimeStart, onnxruntimeTimeout, refusedModel } from './errors.ts';
import { explain, plainMessage } from './explain.ts';
import { type EndedError, mostMemory, RefusedError } from './guard/guard.ts';

/** @param failure thrown by `normalise` */
export async function explainFailure(draft: Draft, failure: RefusedError | EndedError): Promise<CompileError> {
  if (!(failure instanceof RefusedError)) return explainEnd(draft, failure);
  const said = plainMessage(failure.message);
  const explained = explain(draft, said);
  if (explained) return explained;
  const node = await culprit(draft, (again) => plainMessage(again.message) === said);
  return refusedModel(draft.file, node, said, failure);
}

async function explainEnd(draft: Draft, failure: EndedError): Promise<CompileError> {
  const { file } = draft;
  const { how } = failure;
  const node = () => culprit(draft, (again) => !(again instanceof RefusedError) && again.how === how);
  switch (how) {
    case 'start':
      return onnxruntimeStart(file, failure.message, failure);
    case 'time':
      return onnxruntimeTimeout(file, failure.message, failure);
    case 'memory':
      return onnxruntimeMemory(file, await node(), `${(mostMemory / 2 ** 30).toFixed(1)} GiB`, failure);
    case 'crash':
      return onnxruntimeCrashed(file, await node(), failure.message, failure);
    default:
      return how satisfies never;
  }
}
