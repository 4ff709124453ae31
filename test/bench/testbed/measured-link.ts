/** What a testbed's shaped link really carries. */
import { main } from '../../support/cli.ts';
import { spoken } from './spoken.ts';
import type { Testbed } from './testbed.ts';

const PORT = 7001;

export interface MeasuredLink {
  /** Bytes per second, of the slower direction. */
  readonly bandwidth: number;
  /** Seconds. */
  readonly latency: number;
  /** Bytes. */
  readonly burst: number;
}

/** As cluster files write it. */
export const writtenLink = ({ bandwidth, latency, burst }: MeasuredLink) => ({
  bandwidth: `${bandwidth} B/s`,
  latency: `${latency} s`,
  burst: `${burst} B`,
});

/** For people. */
export const linkText = ({ bandwidth, latency, burst }: MeasuredLink): string =>
  `${((bandwidth * 8) / 1e6).toFixed(0)} Mbit/s, ${(latency * 1e3).toFixed(2)} ms and ${(burst / 1e3).toFixed(0)} kB at once`;

/** Measured between two hosts, the first one calling. */
export async function measuredLink(
  testbed: Testbed,
  [caller, server]: readonly [string, string],
): Promise<MeasuredLink> {
  const command = ['--import', 'tsx', main, 'profile'];
  const listen = await testbed.listen(server, PORT);
  const serving = testbed.spawn(server, process.execPath, [...command, '--serve', listen]);
  const served = spoken(serving);
  const address = await testbed.endpoint(server, PORT, caller);
  const { stdout, stderr } = await spoken(
    testbed.spawn(caller, process.execPath, [...command, '--link', address, '--json']),
  );
  if (!stdout) serving.kill();
  await served;
  if (!stdout) throw new Error(`the link could not be measured: ${stderr}`);
  const { latencyMs, bytesPerSecond, burstBytes: burst } = JSON.parse(stdout);
  return { bandwidth: Math.min(bytesPerSecond.to, bytesPerSecond.from), latency: latencyMs / 1e3, burst };
}
