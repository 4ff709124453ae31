/** A process that infers when it is told to, and tells how long that took: a feeder, or onnxruntime alone. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { DeviceTrace } from '../../runtime/index.ts';
import { type FromFeeder, type Play, type ToFeeder, tell } from './feeder.ts';
import type { Block } from './measure.ts';

/** Seconds for an answer, beyond what was asked for: a big model loads for long. */
const PATIENCE = 180;

type Answer<T extends FromFeeder['type']> = Extract<FromFeeder, { type: T }>;

export class MeasuredProcess {
  #said = '';

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.resume();
    child.stderr?.on('data', (text) => {
      this.#said = `${this.#said}${text}`.slice(-2000);
    });
  }

  /** Resolves when it is ready. */
  static async of(child: ChildProcess): Promise<MeasuredProcess> {
    const made = new MeasuredProcess(child);
    await made.#next('ready', PATIENCE);
    return made;
  }

  /** One inference at a time. */
  readonly block: Block = (seconds) => this.#measured({ type: 'measure', seconds });

  /** As many at a time as may be in flight; of all of them the mean ms from one answer to the next. */
  readonly stream: Block = (seconds) => this.#measured({ type: 'stream', seconds });

  /** @param plan null: the one that fits */
  async play(plan: number | null, seconds: number): Promise<Play> {
    const played = this.#next('played', seconds + PATIENCE);
    tell(this.child, { type: 'play', plan, seconds });
    return played;
  }

  async trace(): Promise<DeviceTrace> {
    const traced = this.#next('trace', PATIENCE);
    tell(this.child, { type: 'trace' });
    return (await traced).trace;
  }

  async end(): Promise<void> {
    const ended = this.child.exitCode === null && this.child.signalCode === null ? once(this.child, 'exit') : null;
    this.child.kill('SIGKILL');
    await ended;
  }

  async #measured(what: Extract<ToFeeder, { readonly type: 'measure' | 'stream' }>): Promise<readonly number[]> {
    const measured = this.#next('measured', what.seconds + PATIENCE);
    tell(this.child, what);
    return (await measured).ms;
  }

  #next<T extends FromFeeder['type']>(type: T, seconds: number): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      const hear = (message: FromFeeder) => {
        if (isOf(type, message)) end(() => resolve(message));
      };
      const fail = (why: string) => end(() => reject(new Error(`a measured process ${why}\n${this.#said}`)));
      const exited = (status: number | null, signal: string | null) => fail(`ended with ${status ?? signal}`);
      const late = setTimeout(() => fail(`did not answer within ${seconds} s`), 1e3 * seconds);
      const end = (settle: () => void) => {
        clearTimeout(late);
        this.child.off('message', hear);
        this.child.off('exit', exited);
        settle();
      };
      this.child.on('message', hear);
      this.child.on('exit', exited);
    });
  }
}

const isOf = <T extends FromFeeder['type']>(type: T, message: FromFeeder): message is Answer<T> =>
  message.type === type;
