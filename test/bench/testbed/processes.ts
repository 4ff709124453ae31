/** The processes of a testbed's hosts: they end when it closes, or when this process does. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { HostSpec } from './testbed.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const exit = () => process.exit(1);

export class Processes {
  private readonly running = new Set<ChildProcess>();

  /** @param close takes the testbed down, which would outlive this process */
  constructor(private readonly close: () => void) {
    process.on('exit', close);
    for (const signal of SIGNALS) process.on(signal, exit);
  }

  spawn([program, ...args]: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(program!, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.running.add(child);
    child.once('close', () => this.running.delete(child));
    return child;
  }

  /** Ends all of them, for good. */
  end(): void {
    process.off('exit', this.close);
    for (const signal of SIGNALS) process.off(signal, exit);
    for (const child of this.running) child.kill('SIGKILL');
  }
}

let taskset: boolean | undefined;

/** Whether processes can be kept to cores. */
export function canPin(): boolean {
  taskset ??= spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;
  return taskset;
}

/** The command kept to the host's cores. */
export const pinned = ({ cores }: HostSpec, command: readonly string[]): readonly string[] =>
  cores && canPin() ? ['taskset', '--cpu-list', cores.join(), ...command] : command;
