/** What a testbed is: hosts on this machine, joined by shaped links. */
import type { ChildProcess } from 'node:child_process';

export interface HostSpec {
  readonly name: string;
  /** Of one core; may be more than 1. Default: no limit. Only namespaces hold it: see {@link Testbed.share}. */
  readonly cpu?: number;
  /** Bytes. Default: no limit. Only namespaces hold it. */
  readonly memory?: number;
  /** Its processes run on these cores of the machine and no others, where there is taskset. */
  readonly cores?: readonly number[];
}

export interface LinkSpec {
  readonly between: readonly [string, string];
  /** Bytes per second of each direction; of namespaces Ethernet and TCP headers included. */
  readonly bandwidth: number;
}

export interface TestbedSpec {
  readonly hosts: readonly HostSpec[];
  readonly links: readonly LinkSpec[];
}

export interface Testbed {
  /** What stands for hosts and links here, and what they lack: for the notes of benches. */
  readonly note: string;
  /** Of a core, 1 at most: what a program with one thread gets on this host. */
  share(host: string): number;
  /** Shapes both directions of a link anew. @param bandwidth bytes per second */
  setBandwidth(link: number, bandwidth: number): void;
  /** Where a process of `host` listens at a port. */
  listen(host: string, port: number): Promise<string>;
  /** Where processes of `peer` reach what listens there. */
  endpoint(host: string, port: number, peer: string): Promise<string>;
  /** Starts a program on a host; a Node program has a message channel to this one. */
  spawn(host: string, command: string, args: readonly string[], environment?: NodeJS.ProcessEnv): ChildProcess;
  /** Ends what still runs, and takes everything down. */
  close(): void;
}

export function hostOf({ hosts }: TestbedSpec, name: string): HostSpec {
  const host = hosts.find((one) => one.name === name);
  if (!host) throw new Error(`no host ${name}`);
  return host;
}

/** The index of the link between two hosts, and which of its ends the first is. */
export function linkBetween({ links }: TestbedSpec, host: string, peer: string): { link: number; end: number } {
  const link = links.findIndex(({ between }) => between.includes(host) && between.includes(peer));
  if (link < 0) throw new Error(`no link between ${host} and ${peer}`);
  return { link, end: links[link]!.between.indexOf(host) };
}
