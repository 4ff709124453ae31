/** What a testbed's shaped link really carries. */
import { main } from '../../support/cli.ts';
import { spoken } from './spoken.ts';
import type { Testbed } from './testbed.ts';

const PORT = 7001;

/** Measured between two hosts, the first one calling: bytes per second of the slower direction, and seconds. */
export async function measuredLink(
  testbed: Testbed,
  [caller, server]: readonly [string, string],
): Promise<{ readonly bandwidth: number; readonly latency: number }> {
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
  const { latencyMs, bytesPerSecond } = JSON.parse(stdout);
  return { bandwidth: Math.min(bytesPerSecond.to, bytesPerSecond.from), latency: latencyMs / 1e3 };
}
