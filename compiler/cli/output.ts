/** How commands speak: results on stdout (text, or one JSON object), everything else on stderr. */
import { SingleBar } from 'cli-progress';
import { ShardonnxError } from '../../runtime/error.ts';

export interface OutputOptions {
  readonly json?: boolean | undefined;
}

/** Prints a command's result. */
export function printResult({ json }: OutputOptions, data: object, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(data)}\n` : `${text}\n`);
}

export const notice = (message: string): void => {
  process.stderr.write(`note: ${message}\n`);
};

/** What the operating system refuses (no such folder, no permission, disk full) is for the user to mend. */
function fileSystemError(error: unknown): ShardonnxError | undefined {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined;
  const hint = 'check that the path exists, that it may be written, and that there is room';
  return new ShardonnxError('file-system', error.message, { hint, cause: error });
}

/** Prints what a user can mend and sets the exit status; anything else is our bug and is thrown on. */
export function reportError(error: unknown, { json }: OutputOptions): void {
  const shown = error instanceof ShardonnxError ? error : fileSystemError(error);
  if (!shown) throw error;
  process.exitCode = 1;
  const { at = [], hint } = shown.context;
  if (json) {
    const data = { ok: false, error: { code: shown.code, message: shown.message, at, hint } };
    process.stdout.write(`${JSON.stringify(data)}\n`);
  }
  process.stderr.write(`${shown.format()}\n`);
}

/** Work that takes longer than this gets a progress bar. */
const PATIENCE_MS = 1000;

export interface Progress {
  /** @param done of `total`, in any unit */
  update(what: string, done: number, total: number): void;
  stop(): void;
}

/** A bar on stderr, shown only once the work has taken a second; nothing where stderr is no terminal. */
export function progress(): Progress {
  const bar = new SingleBar({
    format: '{bar} {percentage} %  {what}',
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  });
  const begin = performance.now();
  let shown = false;
  return {
    update(what, done, total) {
      if (!process.stderr.isTTY || performance.now() - begin < PATIENCE_MS) return;
      if (!shown) bar.start(total, done, { what });
      else {
        bar.setTotal(total);
        bar.update(done, { what });
      }
      shown = true;
    },
    stop() {
      if (shown) bar.stop();
      shown = false;
    },
  };
}
