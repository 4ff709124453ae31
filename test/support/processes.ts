/** Processes as the system lists them. */
import { execFileSync } from 'node:child_process';

/** Processes that `pid` started whose command has `word` in it. */
export function childrenOf(pid: number, word: string): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n');
  return rows
    .filter((row) => row.includes(word))
    .map((row) => row.trim().split(/\s+/, 2).map(Number))
    .flatMap(([child, parent]) => (parent === pid ? [child!] : []));
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
