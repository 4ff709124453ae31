/** The process that runs onnxruntime for the import. Arguments: the parent's process id, bytes of memory it may use. */
import { Worker } from 'node:worker_threads';
import { plainError } from '../../../runtime/ipc.ts';
import { onnxruntime } from '../../../runtime/modules.ts';
import type { Answer, Request } from './messages.ts';

const [parent, memory] = process.argv.slice(2).map(Number);

/** Constants that would be larger are computed when the model runs, as the model says. */
const LARGEST_CONSTANT = 64 * 2 ** 20;

/**
 * Ends this process once it is an orphan or uses too much memory. A thread of its own, for onnxruntime holds the main one; given as
 * text, for a thread would need a loader of its own for TypeScript.
 */
function watch(parent: number, memory: number): void {
  setInterval(() => {
    if (process.ppid !== parent || process.memoryUsage.rss() > memory) process.kill(process.pid, 'SIGKILL');
  }, 50);
}
new Worker(`(${watch})(${parent}, ${memory})`, { eval: true, execArgv: [], stdin: false }).unref();

const answer = (message: Answer) => process.send!(message);

async function load({ model, file }: Request): Promise<Answer> {
  try {
    const session = await onnxruntime().InferenceSession.create(model, {
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath: file,
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      extra: {
        session: { disable_prepacking: '1' },
        optimization: { constant_folding_max_output_size_in_bytes: String(LARGEST_CONSTANT) },
      },
    });
    await session.release();
    return { type: 'written' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Inputs or outputs of a dtype or size that JavaScript does not take; the model is written by then.
    return /^(Unsupported data type|Invalid dimension)/.test(message)
      ? { type: 'written' }
      : { type: 'refused', message };
  }
}

try {
  onnxruntime();
  process.on('message', async (request: Request) => answer(await load(request)));
  answer({ type: 'ready' });
} catch (error) {
  answer({ type: 'unusable', error: plainError(error) });
  process.disconnect();
}
