/** Costs of one device from its profile. */

import { CompileError } from '../../error.ts';
import type { Compute, Program } from '../../ir/program.ts';
import { valueKey } from '../../ir/program.ts';
import { length } from '../../ir/region.ts';
import type { DeviceProfile } from '../../profile/load.ts';
import type { Profile } from '../../profile/profile.ts';
import { cutsOf } from '../cuts.ts';
import type { Segment } from '../schedule.ts';
import { modelOperator, Session } from './chains.ts';
import { type DeviceCosts, handedBytes, type Source, type Work } from './device-costs.ts';
import { coldSeconds, footprint, touchedBytes } from './footprint.ts';
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
  private readonly segments = new WeakMap<Segment, number>();

  /** @throws profile where the profile knows none of the model's operators */
  constructor(
    private readonly device: string,
    private readonly imported: Program<'imported'>,
    { profile, file }: Extract<DeviceProfile, { kind: 'profile' }>,
  ) {
    this.profile = profile;
    this.measured = new Measured(profile);
    const operators = [...cutsOf(imported).operators.values()];
    if (operators.length === 0 || operators.some((one) => this.measured.knows(familyOf(imported, one).key))) return;
    throw new CompileError('profile', `knows no operator of ${imported.name}: it is of ${profile.models.join(', ')}`, {
      at: [file],
      hint: `measure this model on ${device}: shardonnx profile MODEL -o ${file}`,
    });
  }

  message(kind: 'send' | 'receive'): number {
    return this.profile.messages[kind];
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
      session.seconds +
      messages.send +
      messages.receive +
      bytes * (1 / session.outputs + memory.cold.at(-1)!.seconds + 2 / memory.copy)
    );
  }

  assemble(bytes: number): number {
    return (2 * bytes) / this.profile.memory.copy;
  }

  segment(program: Program, segment: Segment): number {
    const known = this.segments.get(segment);
    if (known !== undefined) return known;
    const { session, memory } = this.profile;
    const work = new SessionCosts(
      this.measured,
      this.imported,
      program,
      new Session(segment.operators, new Set(segment.outputs.map(valueKey))),
    );
    const own = this.own(program);
    const alone = segment.operators.length === own.operators.length;
    const touched = touchedBytes(program, segment);
    const others = own.weights + (alone ? touched : own.made);
    const seconds =
      (alone ? session.alone : session.seconds) +
      work.total +
      handedBytes(program, segment) / session.outputs +
      touched * coldSeconds(memory.cold, others);
    this.segments.set(segment, seconds);
    return seconds;
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
