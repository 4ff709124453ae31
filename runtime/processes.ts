/** A team of processes: one a device, joined over loopback TCP, driven over IPC. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ShardonnxError } from './error.ts';
import { plainTensors } from './ipc.ts';
import { Member } from './member.ts';
import type { NamedTensors } from './program.ts';
import type { DeviceStats } from './stats.ts';
import { Failures, type Outcome, type Team, type TeamSetup } from './team.ts';
import type { DeviceTrace } from './trace.ts';

/** Seconds to start a process, to check its files and to load its segments, in which large weights are read twice. */
const LOAD_SECONDS = 300;
/** Seconds for a device's own, clearer error to come first. */
const SLACK_SECONDS = 5;
/** Seconds to stop in good order. */
const STOP_SECONDS = 5;

export async function processes(setup: TeamSetup): Promise<Team> {
  const failures = new Failures();
  const members = setup.manifests.map((manifest) => new Member(setup, manifest, failures));
  const team = new Processes(setup, members, failures);
  const { connect } = setup.timeouts;
  try {
    const listening = await team.each((member) => member.next('listening', LOAD_SECONDS));
    const endpoints = Object.fromEntries(
      listening.flatMap(({ endpoint }, i) => (endpoint ? [[members[i]?.device, endpoint]] : [])),
    );
    for (const member of members) member.tell({ type: 'peers', endpoints });
    await team.each((member) => member.next('ready', connect + SLACK_SECONDS));
    return team;
  } catch (error) {
    await team.kill();
    throw error;
  }
}

class Processes implements Team {
  readonly #input: Member;
  readonly #output: Member;
  readonly #onExit = () => {
    for (const member of this.members) member.kill();
  };
  #closing: Promise<void> | undefined;
  #next = 0;

  constructor(
    private readonly setup: TeamSetup,
    private readonly members: readonly Member[],
    private readonly failures: Failures,
  ) {
    const named = (name: string | undefined) => members.find(({ device }) => device === name);
    const input = named(setup.manifests[0]?.inputDevice);
    const output = named(setup.manifests[0]?.outputDevice);
    if (!input || !output) throw new RangeError('a device of the build is missing');
    this.#input = input;
    this.#output = output;
    process.once('exit', this.#onExit);
    // One device's end is the end of all, also between inferences; first those at work may say what they know.
    failures.cause.then(() => this.kill());
  }

  async each<T>(ask: (member: Member) => Promise<T>): Promise<T[]> {
    return Promise.all(this.members.map((member) => this.failures.guard(member.device, ask(member))));
  }

  async infer(inputs: NamedTensors): Promise<Outcome> {
    if (this.#closing && !this.failures.happened) throw new ShardonnxError('stopped', 'the bundle was closed');
    const inference = this.#next++;
    const wait = this.setup.timeouts.inference + SLACK_SECONDS;
    const holders = [...new Set([this.#input, this.#output])];
    const results = Promise.all(holders.map((member) => member.next('result', wait, inference)));
    this.#input.tell({ type: 'infer', inference, inputs: plainTensors(inputs) });
    try {
      const all = await this.failures.guard(this.#input.device, results);
      const last = all.at(-1);
      if (!last) throw new RangeError('no result');
      return { outputs: last.outputs, ms: last.ended - (all[0]?.began ?? last.began) };
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  stats(): Promise<DeviceStats[]> {
    return this.each(async (member) => {
      const answer = member.next('stats', SLACK_SECONDS);
      member.tell({ type: 'stats' });
      return (await answer).stats;
    });
  }

  async trace(): Promise<DeviceTrace[]> {
    const traces = await this.each(async (member) => {
      const answer = member.next('trace', SLACK_SECONDS);
      member.tell({ type: 'trace' });
      return (await answer).trace;
    });
    return traces.filter((trace) => trace !== null);
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop(async () => {
      for (const member of this.members) member.tell({ type: 'stop' });
      const gone = Promise.all(this.members.map((member) => member.gone));
      await Promise.race([gone, sleep(STOP_SECONDS * 1000, null, { ref: false })]);
    });
    return this.#closing;
  }

  /** Nothing is left when it resolves. */
  kill(): Promise<void> {
    this.#closing ??= this.#stop(async () => {});
    return this.#closing;
  }

  async #stop(gently: () => Promise<void>): Promise<void> {
    for (const member of this.members) member.release();
    await gently();
    for (const member of this.members) member.kill();
    await Promise.all(this.members.map(({ gone }) => gone));
    process.off('exit', this.#onExit);
  }
}
