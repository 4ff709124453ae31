/**
 * The testbed's hosts as network namespaces, joined by shaped links, with a share of the processor and a memory limit. Needs root on
 * Linux. Nothing outside the testbed's own namespaces, interfaces and control groups is touched.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { Groups } from './groups.ts';
import { Processes, pinned } from './processes.ts';
import { hostOf, linkBetween, type Testbed, type TestbedSpec } from './testbed.ts';

/**
 * Bytes that TCP hands over at once: what a link carries in 2 ms, as network cards take it. Smaller ones cost a fast link's hosts a
 * multiple of the processor time (256 KiB at 1 Gbit/s in 14 KB: 0.8 ms instead of 0.2).
 */
const [LEAST_PACKET, MOST_PACKET] = [14_000, 64_000];
const largestPacket = (bandwidth: number): number =>
  Math.round(Math.min(MOST_PACKET, Math.max(LEAST_PACKET, bandwidth * 0.002)));
/** Bytes of headers, at most, of a packet that is sent in the pieces of an Ethernet. */
const HEADERS = 4_000;

export class Namespaces implements Testbed {
  readonly note = 'hosts are network namespaces of one machine';
  private readonly groups: Groups;
  private readonly processes = new Processes(() => this.close());
  /** Interface names are short: 15 characters at most. */
  private readonly prefix = `sx${process.pid % 1e6}`;
  private closed = false;

  private constructor(private readonly spec: TestbedSpec) {
    this.groups = new Groups(this.prefix);
  }

  /** Why there can be none here; null: there can. */
  static unavailable(): string | null {
    if (process.platform !== 'linux') return `network namespaces are Linux's, this is ${process.platform}`;
    if (process.getuid?.() !== 0) return 'network namespaces need root: run it with sudo, or in a privileged container';
    for (const [tool, ...args] of [
      ['ip', '-Version'],
      ['tc', '-Version'],
    ] as const) {
      try {
        execFileSync(tool, args, { stdio: 'ignore' });
      } catch {
        return `the program ${tool} is missing (package iproute2)`;
      }
    }
    const name = `sx${process.pid % 1e6}p`;
    try {
      ip('netns', 'add', name);
      ip('netns', 'del', name);
    } catch (error) {
      return `network namespaces cannot be made here: ${error instanceof Error ? error.message : error}`;
    }
    return Groups.unavailable();
  }

  static open(spec: TestbedSpec): Namespaces {
    const testbed = new Namespaces(spec);
    try {
      testbed.setUp();
      return testbed;
    } catch (error) {
      testbed.close();
      throw error;
    }
  }

  private setUp(): void {
    for (const { name, cpu, memory } of this.spec.hosts) {
      ip('netns', 'add', this.namespace(name));
      ip('-n', this.namespace(name), 'link', 'set', 'lo', 'up');
      this.groups.add(name, { cpu, memory });
    }
    for (const [i, { between, bandwidth }] of this.spec.links.entries()) {
      const packet = String(largestPacket(bandwidth));
      const ends = between.map((_, end) => this.interfaceOf(i, end)) as [string, string];
      ip('link', 'add', ends[0], 'type', 'veth', 'peer', 'name', ends[1]);
      for (const [end, host] of between.entries()) {
        const namespace = this.namespace(host);
        ip('link', 'set', ends[end]!, 'netns', namespace);
        ip('-n', namespace, 'address', 'add', `${addressOf(i, end)}/30`, 'dev', ends[end]!);
        ip('-n', namespace, 'link', 'set', ends[end]!, 'gso_max_size', packet, 'up');
      }
      this.setBandwidth(i, bandwidth, 'add');
    }
  }

  share(host: string): number {
    return Math.min(1, hostOf(this.spec, host).cpu ?? 1);
  }

  setBandwidth(link: number, bandwidth: number, how: 'add' | 'change' = 'change'): void {
    const { between, bandwidth: first } = this.spec.links[link]!;
    // A bucket takes any packet, those too that were queued before the link became slow: one that waits for more is never sent.
    const burst = largestPacket(first) + HEADERS;
    // The queue holds about 100 ms, and never less than the 1000 packets of Linux's interfaces: with what is queued when a link
    // becomes slow, all that is sent again would be dropped for seconds.
    const queue = Math.max(1_500_000, Math.round(bandwidth * 0.1));
    for (const [end, host] of between.entries()) {
      const device = ['dev', this.interfaceOf(link, end), 'root'];
      const rate = ['rate', `${Math.round(bandwidth * 8)}bit`, 'burst', String(burst), 'limit', String(queue)];
      execFileSync('tc', ['-n', this.namespace(host), 'qdisc', how, ...device, 'tbf', ...rate]);
    }
  }

  async listen(_host: string, port: number): Promise<string> {
    return `tcp://0.0.0.0:${port}`;
  }

  async endpoint(host: string, port: number, peer: string): Promise<string> {
    const { link, end } = linkBetween(this.spec, host, peer);
    return `tcp://${addressOf(link, end)}:${port}`;
  }

  /**
   * ZeroMQ's threads are not held back by the host's share of the processor: a quota stops all threads of a process at once, but a
   * slow board's network does not wait for its computation.
   */
  spawn(host: string, command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
    const inside = [
      'ip',
      'netns',
      'exec',
      this.namespace(host),
      ...pinned(hostOf(this.spec, host), [command, ...args]),
    ];
    const child = this.processes.spawn(this.groups.wrap(host, inside), environment);
    const timer = setInterval(() => child.pid !== undefined && this.groups.exempt(child.pid, 'ZMQbg'), 200);
    child.once('close', () => clearInterval(timer));
    return child;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.groups.kill();
    this.processes.end();
    for (const { name } of this.spec.hosts) {
      try {
        // Takes its interfaces along.
        ip('netns', 'del', this.namespace(name));
      } catch {
        // It was never made.
      }
    }
    this.groups.remove();
  }

  private namespace(host: string): string {
    return `${this.prefix}-${host}`;
  }

  private interfaceOf(link: number, end: number): string {
    return `${this.prefix}l${link}${'ab'[end]}`;
  }
}

const addressOf = (link: number, end: number): string => `10.213.${link}.${end + 1}`;

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
