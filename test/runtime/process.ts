/** Devices as processes of their own, started as a user would. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { moduleFolders } from '../../runtime/modules.ts';

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Running {
  readonly ended: Promise<Ended>;
  readonly pid: number;
  readonly #process: ChildProcess;
  #stdout = '';
  #stderr = '';
  #changed: () => void = () => {};

  constructor(build: string, device: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#process = spawn(process.execPath, [join(build, device, 'main.js'), ...args], {
      env: { ...process.env, NODE_PATH: moduleFolders().join(delimiter), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.#process.pid ?? 0;
    running.add(this);
    this.#process.stdout?.on('data', (text) => {
      this.#stdout += text;
      this.#changed();
    });
    this.#process.stderr?.on('data', (text) => {
      this.#stderr += text;
      this.#changed();
    });
    this.ended = new Promise((resolve) => {
      this.#process.on('close', (status, signal) => {
        running.delete(this);
        this.#changed();
        resolve({ status, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  /** Resolves with the match once it was printed. */
  async prints(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(stream === 'stdout' ? this.#stdout : this.#stderr);
      if (match) return match;
      if (!running.has(this)) throw new Error(`ended without printing ${pattern}: ${this.#stdout}${this.#stderr}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }
}

const running = new Set<Running>();

/** Call it after each test. */
export async function killAll(): Promise<void> {
  await Promise.all(
    [...running].map((one) => {
      one.signal('SIGKILL');
      return one.ended;
    }),
  );
}

/** Whether the process is there. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Of the processes that work on a build, also those started by others. */
export function pidsOf(build: string): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,command=']).toString().split('\n');
  return lines.filter((line) => line.includes(build)).map((line) => Number.parseInt(line, 10));
}
