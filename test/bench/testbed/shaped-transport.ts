/**
 * The testbed where no namespaces can be made: hosts are plain processes of this machine, and each of their connections goes
 * through a proxy in this process that holds it to the link's bandwidth. Nothing limits a host's processor and memory, and the
 * connections of a link do not share its bandwidth.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { TestLink } from '../../support/link.ts';
import { canPin, Processes, pinned } from './processes.ts';
import { hostOf, linkBetween, type Testbed, type TestbedSpec } from './testbed.ts';

/** One that is free now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export class ShapedTransport implements Testbed {
  readonly note: string;
  private readonly processes = new Processes(() => this.close());
  /** Bytes per second, by link. */
  private readonly rates: number[];
  /** By host and port. */
  private readonly ports = new Map<string, Promise<number>>();
  /** By host, port and peer. */
  private readonly proxies = new Map<string, Promise<TestLink>>();
  private readonly open: { readonly link: number; readonly proxy: TestLink }[] = [];
  private closed = false;

  constructor(
    private readonly spec: TestbedSpec,
    reason: string,
  ) {
    const { hosts, links } = spec;
    if (new Set(hosts.map(({ name }) => name)).size < hosts.length) throw new Error('two hosts have one name');
    this.rates = links.map(({ bandwidth }) => bandwidth);
    const anywhere = hosts.some(({ cores }) => cores) && !canPin() ? ', on any core' : '';
    this.note = `links are shaped in the transport, by a proxy that takes its share of this machine (${reason}); hosts are plain processes at full speed${anywhere}`;
  }

  share(host: string): number {
    hostOf(this.spec, host);
    return 1;
  }

  setBandwidth(link: number, bandwidth: number): void {
    this.rates[link] = bandwidth;
    for (const one of this.open) if (one.link === link) one.proxy.rate = bandwidth;
  }

  async listen(host: string, port: number): Promise<string> {
    hostOf(this.spec, host);
    return `tcp://127.0.0.1:${await kept(this.ports, `${host}:${port}`, freePort)}`;
  }

  async endpoint(host: string, port: number, peer: string): Promise<string> {
    const { link } = linkBetween(this.spec, host, peer);
    const proxy = await kept(this.proxies, `${host}:${port}:${peer}`, async () => {
      const made = await TestLink.to(await this.listen(host, port));
      made.rate = this.rates[link]!;
      this.open.push({ link, proxy: made });
      return made;
    });
    return proxy.endpoint;
  }

  spawn(host: string, command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
    return this.processes.spawn(pinned(hostOf(this.spec, host), [command, ...args]), environment);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.processes.end();
    for (const { proxy } of this.open) proxy.close();
  }
}

/** What `make` gives, made once a key. */
function kept<T>(all: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = all.get(key) ?? make();
  all.set(key, known);
  return known;
}
