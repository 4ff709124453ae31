/** The robot's and the server's process of a build with several plans, and a link that follows a trace while the robot infers. */
import { now } from '../../../runtime/ipc.ts';
import type { Play } from '../feeder.ts';
import type { MeasuredProcess } from '../measured-process.ts';
import { pairOf } from '../pair.ts';
import { ROBOT, SERVER } from '../robot-and-server.ts';
import { replay, type Stretch } from '../testbed/replay.ts';
import type { Testbed } from '../testbed/testbed.ts';
import type { Lap, Played } from './outcome.ts';

export class Players {
  private constructor(
    private readonly testbed: Testbed,
    private readonly robot: MeasuredProcess,
    private readonly server: MeasuredProcess,
  ) {}

  /** @param speed of this machine's: what the robot's segments are slowed down to */
  static async start(testbed: Testbed, build: string, speed: number): Promise<Players> {
    return new Players(testbed, ...(await pairOf(testbed, build, [ROBOT, SERVER], { speed })));
  }

  /** @param plan null: the one that fits @param before seconds at the first bandwidth that do not count */
  async play(trace: readonly Stretch[], plan: number | null, before: number): Promise<Played & Play> {
    const [first] = trace;
    if (!first) throw new RangeError('a trace of nothing');
    const changes: { readonly bandwidth: number; readonly at: number }[] = [];
    const setBandwidth = (link: number, bandwidth: number) => {
      this.testbed.setBandwidth(link, bandwidth);
      changes.push({ bandwidth, at: now() });
    };
    const played = this.robot.play(
      plan,
      trace.reduce((sum, { seconds }) => sum + seconds, before),
    );
    await replay({ setBandwidth }, 0, [{ ...first, seconds: before }, ...trace]);
    const end = now();
    const laps = changes.map(({ bandwidth, at }, i): Lap => ({ bandwidth, from: at, to: changes[i + 1]?.at ?? end }));
    return { ...(await played), laps: laps.slice(1) };
  }

  async end(): Promise<void> {
    await this.robot.end();
    await this.server.end();
  }
}
