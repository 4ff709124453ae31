/** What a process of the testbed says until it ends. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Seconds until it has ended. */
const DEADLINE = 300;

export interface Spoken {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function spoken(child: ChildProcess): Promise<Spoken> {
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE * 1000);
  const [[status], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout!),
    text(child.stderr!),
  ]);
  clearTimeout(timer);
  return { status, stdout, stderr };
}
