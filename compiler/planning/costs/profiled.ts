/** Costs of one device from its profile. */

import { CompileError } from '../../error.ts';
import type { Compute, Program } from '../../ir/program.ts';
import { valueKey } from '../../ir/program.ts';
import { length } from '../../ir/region.ts';
import type { DeviceProfile } from '../../profile/load.ts';
import type { Profile } from '../../profile/profile.ts';
import { cutsOf } from '../cuts.ts';
import type { Segment, Step } from '../schedule.ts';
import { modelOperator, Session } from './chains.ts';
import { type DeviceCosts, handedBytes, type Source, type Work } from './device-costs.ts';
import { after, footprint, touchedBytes } from './footprint.ts';
import { Measured } from './measured.ts';
import { share } from './roofline.ts';
import { SessionCosts } from './session-costs.ts';
import { type Family, familyOf, type Sizes, sizesOf, trafficOf } from './signature.ts';

const isWork = (operator: { kind: string }): operator is Work =>
  operator.kind === 'compute' || operator.kind === 'assemble';

/** What a device does of a program; bytes. */
interface Own {
  readonly operators: readonly Work[];
  readonly weights: number;
  readonly made: number;
}

/** The extents of a chain whose follower works on this tile. */
function sizesOfFollower(family: Family, tile: Compute): Sizes {
  const region = tile.outputs[0]?.region;
  const letters = family.cut?.outputs[0];
  if (!region || !letters) return family.sizes;
  const found = letters.map((letter, i): [string, number] => [letter, length(region[i]!)]);
  return { ...family.sizes, ...Object.fromEntries(found.filter(([letter]) => letter in family.sizes)) };
}

export class ProfiledDevice implements DeviceCosts {
  private readonly profile: Profile;
  private readonly measured: Measured;
  private readonly programs = new WeakMap<Program, Own>();
  /** Of all that the device does of a program, as one session. */
  private readonly sessions = new WeakMap<Program, SessionCosts>();
  /** Bytes of other memory that a session of a program which is not known yet finds touched: what an operator touches. */
  private readonly between: number;

  /** @throws profile where the profile knows none of the model's operators */
  constructor(
    private readonly device: string,
    private readonly imported: Program<'imported'>,
    { profile, file }: Extract<DeviceProfile, { kind: 'profile' }>,
  ) {
    this.profile = profile;
    this.measured = new Measured(profile);
    const operators = [...cutsOf(imported).operators.values()];
    if (operators.length > 0 && !operators.some((one) => this.measured.knows(familyOf(imported, one).key))) {
      throw new CompileError(
        'profile',
        `knows no operator of ${imported.name}: it is of ${profile.models.join(', ')}`,
        {
          at: [file],
          hint: `measure this model on ${device}: shardonnx profile MODEL -o ${file}`,
        },
      );
    }
    const { weights, made } = footprint(imported, operators);
    this.between = (weights + made) / Math.max(1, operators.length);
  }

  message(kind: 'send' | 'receive'): number {
    return this.messageAfter(this.between, kind);
  }

  private messageAfter(bytes: number, kind: 'send' | 'receive'): number {
    return after(this.profile.messages.after, bytes, (level) => level[kind]);
  }

  private sessionAfter(bytes: number): number {
    return after(this.profile.session.after, bytes, ({ seconds }) => seconds);
  }

  joules(): undefined {}

  seconds(program: Program, operator: Work): number {
    return this.of(program).of(operator) ?? this.ofTile(program, operator).seconds;
  }

  border(bytes: number): number {
    const { session, messages, memory } = this.profile;
    // A session ends where something is sent and something else waited for. What leaves it is read by the next: out of the
    // caches, and into the layout that convolutions want.
    return (
      this.sessionAfter(this.between) +
      this.message('send') +
      messages.pause +
      this.message('receive') +
      bytes * (1 / session.outputs + memory.cold.at(-1)!.seconds + 2 / memory.copy)
    );
  }

  assemble(bytes: number): number {
    return (2 * bytes) / this.profile.memory.copy;
  }

  steps(program: Program, steps: readonly Step[]): number[] {
    const { session, messages } = this.profile;
    const own = this.own(program);
    const sessions = steps.filter((step) => step.kind === 'segment');
    const touched = new Map(sessions.map((segment) => [segment, this.touched(program, segment)]));
    // Inferences follow each other.
    let before = touched.get(sessions.at(-1)!)?.bytes ?? 0;
    let done = new Set<'send' | 'receive'>();
    return steps.map((step) => {
      if (step.kind !== 'segment') {
        const isFirst = !done.has(step.kind);
        done.add(step.kind);
        return isFirst ? this.messageAfter(before, step.kind) : messages.further[step.kind];
      }
      const isAll = step.operators.length === own.operators.length;
      const border = isAll ? session.alone : this.sessionAfter(before);
      const pause = done.has('send') ? messages.pause : 0;
      done = new Set();
      before = touched.get(step)!.bytes;
      return border + pause + this.work(program, step, touched.get(step)!.first, isAll);
    });
  }

  /** Bytes that a session touches, and of them those that are not weights. */
  private touched(program: Program, segment: Segment): { bytes: number; first: number } {
    const first = touchedBytes(program, segment);
    return { bytes: first + footprint(program, segment.operators).weights, first };
  }

  /** Seconds of what a session does, and of what it hands over. @param touched see {@link touchedBytes} */
  private work(program: Program, segment: Segment, touched: number, isAll: boolean): number {
    const { session, memory } = this.profile;
    const { total } = new SessionCosts(
      this.measured,
      this.imported,
      program,
      new Session(segment.operators, new Set(segment.outputs.map(valueKey))),
    );
    const own = this.own(program);
    const others = own.weights + (isAll ? touched : own.made);
    const cold = after([{ touched: 0, seconds: 0 }, ...memory.cold], others, ({ seconds }) => seconds);
    return total + handedBytes(program, segment) / session.outputs + touched * cold;
  }

  source(program: Program, operator: Work): Source {
    if (operator.kind === 'assemble') return 'estimated';
    return this.of(program).chainOf(operator)?.answer.source ?? this.ofTile(program, operator).source;
  }

  /** What the device does of a program. */
  private own(program: Program): Own {
    const known = this.programs.get(program);
    if (known) return known;
    const operators = program.operators
      .filter(isWork)
      .filter(({ device }) => device === null || device === this.device);
    const own = { operators, ...footprint(program, operators) };
    this.programs.set(program, own);
    return own;
  }

  private of(program: Program): SessionCosts {
    const known = this.sessions.get(program);
    if (known) return known;
    const { operators } = this.own(program);
    const made = new SessionCosts(this.measured, this.imported, program, new Session(operators, new Set()));
    this.sessions.set(program, made);
    return made;
  }

  /** A tile that is in no program yet: as its operator in the model, at the tile's sizes. */
  private ofTile(program: Program, tile: Work): { seconds: number; source: Source } {
    const { measured, imported } = this;
    const operator = tile.kind === 'compute' ? modelOperator(imported, tile) : undefined;
    if (tile.kind !== 'compute' || !operator) {
      return { seconds: measured.fit.seconds('', 0, trafficOf(program, tile)), source: 'estimated' };
    }
    const whole = this.of(imported);
    const { chain, answer, blocked } = whole.chainOf(operator)!;
    const at = chain.members.indexOf(operator);
    const sizes = at === 0 ? sizesOf(chain.family, tile) : sizesOfFollower(chain.family, tile);
    const found = measured.ask(imported, program, { ...chain, members: chain.members.with(at, tile) }, sizes, blocked);
    const layouts = Math.max(0, whole.of(operator)! - answer.seconds[at]!);
    return { seconds: found.seconds[at]! + layouts * share(program, tile), source: found.source };
  }
}
