/** Control groups that hold a host's processes to its share of the processor and its memory; both versions of the interface. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
/** µs. Short, so that a host with a fifth of a core is slow and does not stand still for the most of each 100 ms. */
const PERIOD = 5000;

interface Limits {
  readonly cpu?: number | undefined;
  readonly memory?: number | undefined;
}

const isUnified = (): boolean => existsSync(join(ROOT, 'cgroup.controllers'));
/** Folders above the groups, one a controller in version 1. */
const controllers = (): string[] => (isUnified() ? [ROOT] : [join(ROOT, 'cpu'), join(ROOT, 'memory')]);

export class Groups {
  private readonly hosts = new Set<string>();

  constructor(private readonly prefix: string) {}

  /** Why there are none; null: there are. */
  static unavailable(): string | null {
    const name = `shardonnx-probe-${process.pid}`;
    try {
      for (const folder of controllers()) {
        mkdirSync(join(folder, name));
        rmdirSync(join(folder, name));
      }
      return null;
    } catch (error) {
      return `control groups cannot be made here: ${error instanceof Error ? error.message : error}`;
    }
  }

  add(host: string, { cpu, memory }: Limits): void {
    this.hosts.add(host);
    for (const folder of this.folders(host)) mkdirSync(folder);
    if (!isUnified()) mkdirSync(this.free, { recursive: true });
    const [processor, store] = this.folders(host);
    if (isUnified()) {
      if (cpu !== undefined) writeFileSync(join(processor!, 'cpu.max'), `${Math.round(cpu * PERIOD)} ${PERIOD}`);
      if (memory !== undefined) writeFileSync(join(processor!, 'memory.max'), String(memory));
      return;
    }
    if (cpu !== undefined) {
      writeFileSync(join(processor!, 'cpu.cfs_period_us'), String(PERIOD));
      writeFileSync(join(processor!, 'cpu.cfs_quota_us'), String(Math.round(cpu * PERIOD)));
    }
    if (memory !== undefined) writeFileSync(join(store!, 'memory.limit_in_bytes'), String(memory));
  }

  /**
   * Lets those threads of a process run at full speed whose names begin with this, as a board's network interface does beside its
   * processor. Version 1 alone can tell threads apart.
   */
  exempt(pid: number, name: string): void {
    if (isUnified() || !existsSync(`/proc/${pid}/task`)) return;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      try {
        const isOne = readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').startsWith(name);
        if (isOne) writeFileSync(join(this.free, 'tasks'), thread);
      } catch {
        // The thread has ended.
      }
    }
  }

  /** The command that joins the host's groups and then becomes the given one. */
  wrap(host: string, command: readonly string[]): string[] {
    const joins = this.folders(host).map((folder) => `echo $$ > ${join(folder, 'cgroup.procs')}`);
    return ['sh', '-c', `${joins.join(' && ')} && exec "$@"`, 'sh', ...command];
  }

  /** Ends every process of the groups. */
  kill(): void {
    for (const host of this.hosts) {
      for (const pid of this.members(host)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
      }
    }
  }

  /** Removes the groups; a process that was ended takes a moment to leave its own, five seconds at most are waited for all. */
  remove(): void {
    const end = Date.now() + 5000;
    const folders = [...this.hosts].flatMap((host) => this.folders(host));
    for (const folder of [...folders, this.free]) {
      while (existsSync(folder) && !removed(folder) && Date.now() < end) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
    this.hosts.clear();
  }

  private get free(): string {
    return join(ROOT, 'cpu', `${this.prefix}-free`);
  }

  private members(host: string): number[] {
    const [first] = this.folders(host);
    const file = join(first!, 'cgroup.procs');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : [];
  }

  private folders(host: string): string[] {
    return controllers().map((folder) => join(folder, `${this.prefix}-${host}`));
  }
}

/** False: a process is still in it. */
function removed(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
