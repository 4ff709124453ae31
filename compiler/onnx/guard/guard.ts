/** onnxruntime in a process of its own: a model on which it crashes, hangs or uses up memory ends that process, not ours. */
import { type ChildProcess, fork } from 'node:child_process';
import { totalmem } from 'node:os';
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompileError } from '../../error.ts';
import { type Answer, isAnswer, type Request } from './messages.ts';

/** Seconds until onnxruntime is loaded; it takes 0.1 to 0.4. */
const START_SECONDS = 60;

/** onnxruntime does not take the model; its own words. */
export class RefusedError extends Error {}

/** The process ended over a model, or could not be started. */
export class EndedError extends Error {
  constructor(
    readonly how: 'crash' | 'memory' | 'time' | 'start',
    message: string,
  ) {
    super(message);
  }
}

/** Bytes: no import of a model that can be used comes near. */
export const mostMemory = Math.min(4 * 2 ** 30, totalmem() / 2);

/** Writes what onnxruntime makes of a model. @throws RefusedError, EndedError */
export type Load = (request: Request, seconds: number) => Promise<void>;

/** A process that is started when it is first needed, kept, and replaced when a model has ended it. */
export class Guard {
  #child: ChildProcess | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #load: Load = async (request, seconds) => {
    const child = await this.#running();
    // A process that is gone says so by its end.
    child.send(request, () => {});
    const answer = await next(child, seconds);
    if (answer.type === 'refused') throw new RefusedError(answer.message);
  };

  /** @param memory resident bytes the process may use */
  constructor(readonly memory: number) {}

  /** One work at a time; the process keeps ours alive for as long as it is at work. */
  inTurn<T>(work: (load: Load) => Promise<T>): Promise<T> {
    const done = this.#turn.then(async () => {
      try {
        return await work(this.#load);
      } finally {
        hold(this.#child, false);
      }
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  async #running(): Promise<ChildProcess> {
    if (!this.#child?.connected) this.#child = await start(this.memory);
    hold(this.#child, true);
    return this.#child;
  }
}

function hold(child: ChildProcess | undefined, isBusy: boolean): void {
  for (const handle of [child, child?.channel]) {
    if (isBusy) handle?.ref();
    else handle?.unref();
  }
}

/** @throws EndedError, dependency-missing */
async function start(memory: number): Promise<ChildProcess> {
  const extension = extname(import.meta.url);
  const script = fileURLToPath(new URL(`child${extension}`, import.meta.url));
  const child = fork(script, [process.pid, memory].map(String), {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // Where a loader named by its package is found, and where no model's relative path leads to anybody's files.
    cwd: dirname(script),
    // What Node is told besides (a debugger's port, a loader) is for us alone, unless the child is TypeScript too.
    ...(extension === '.js' && { execArgv: [] }),
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
  const answer = await next(child, START_SECONDS).catch((error: Error) => {
    throw new EndedError('start', error.message);
  });
  if (answer.type !== 'unusable') return child;
  const { code, message, at, hint } = answer.error;
  throw new CompileError(code, message, { at, ...(hint !== undefined && { hint }) });
}

/** What the process says next. @throws EndedError once it has ended, which it must within `seconds` if it says nothing */
function next(child: ChildProcess, seconds: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const deadline = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, seconds * 1000);
    const settle = () => {
      clearTimeout(deadline);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
    };
    const onMessage = (message: unknown) => {
      settle();
      if (isAnswer(message)) resolve(message);
      else reject(new Error(`the process for onnxruntime says ${JSON.stringify(message)}`));
    };
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      settle();
      if (isLate) reject(new EndedError('time', `after ${seconds.toFixed(0)} s`));
      // Its own watch ends it so, and so does a system that has no memory left.
      else if (signal === 'SIGKILL') reject(new EndedError('memory', 'it was killed'));
      else reject(new EndedError('crash', signal ?? `exit status ${code}`));
    };
    const onError = (error: Error) => {
      settle();
      reject(new EndedError('start', error.message));
    };
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
  });
}
