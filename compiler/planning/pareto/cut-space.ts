/** All ways to cut a graph's order of operators into stages and give them to devices. */
import type { Placement } from '../placement/evaluate.ts';

/**
 * fixed: devices in the graph's order, some perhaps left out; once: in any order, each at most once;
 * repeat: a device may get several stages, but no two in a row.
 */
export type Platforms = 'fixed' | 'once' | 'repeat';

export interface CutSpace {
  readonly operators: number;
  readonly devices: number;
  readonly platforms: Platforms;
  /** Most stages. */
  readonly stages: number;
}

export interface Cuts {
  /** Ascending, each from 1 to operators − 1: a stage ends before this operator. */
  readonly positions: readonly number[];
  /** Of each stage; one more than positions. */
  readonly devices: readonly number[];
}

export const placementOf = ({ positions, devices }: Cuts, operators: number): Placement => {
  const borders = [...positions, operators];
  return borders.flatMap((end, stage) => Array(end - (positions[stage - 1] ?? 0)).fill(devices[stage]!));
};

/** Whether a stage on `device` may follow stages on `before`. */
export function mayFollow(platforms: Platforms, before: readonly number[], device: number): boolean {
  if (platforms === 'fixed') return before.every((one) => one < device);
  return platforms === 'once' ? !before.includes(device) : before.at(-1) !== device;
}

function* devicesOf(space: CutSpace, stages: number, before: readonly number[] = []): Generator<readonly number[]> {
  if (before.length === stages) return yield before;
  for (let device = 0; device < space.devices; device++) {
    if (mayFollow(space.platforms, before, device)) yield* devicesOf(space, stages, [...before, device]);
  }
}

function* positionsOf(operators: number, count: number, from = 1): Generator<readonly number[]> {
  if (count === 0) return yield [];
  for (let first = from; first <= operators - count; first++) {
    for (const rest of positionsOf(operators, count - 1, first + 1)) yield [first, ...rest];
  }
}

const mostStages = ({ operators, devices, platforms, stages }: CutSpace): number =>
  Math.min(stages, operators, platforms === 'repeat' ? stages : devices);

/** Every element of the space, each once. */
export function* everyCut(space: CutSpace): Generator<Cuts> {
  for (let stages = 1; stages <= mostStages(space); stages++) {
    const sequences = [...devicesOf(space, stages)];
    for (const positions of positionsOf(space.operators, stages - 1)) {
      for (const devices of sequences) yield { positions, devices };
    }
  }
}

/** How many {@link everyCut} yields. */
export function sizeOf(space: CutSpace): number {
  let total = 0;
  for (let stages = 1, ways = 1; stages <= mostStages(space); stages++) {
    total += ways * sequences(space, stages);
    ways = (ways * (space.operators - stages)) / stages;
  }
  return total;
}

function sequences({ devices, platforms }: CutSpace, stages: number): number {
  if (platforms === 'repeat') return devices * (devices - 1) ** (stages - 1);
  let ways = 1;
  for (let i = 0; i < stages; i++) ways *= platforms === 'once' ? devices - i : (devices - i) / (i + 1);
  return Math.round(ways);
}

/** A stage that begins with this operator. */
interface Start {
  readonly at: number;
  readonly device: number;
}

const startsOf = ({ positions, devices }: Cuts): Start[] =>
  devices.map((device, stage) => ({ at: positions[stage - 1] ?? 0, device }));

/** Stages that may not follow, or are one too many, go to the stage before them. */
function legal(space: CutSpace, starts: readonly Start[]): Cuts {
  const kept: Start[] = [];
  for (const { at, device } of starts.toSorted((a, b) => a.at - b.at)) {
    const before = kept.map((one) => one.device);
    if (kept.length === 0) kept.push({ at: 0, device });
    else if (at > kept.at(-1)!.at && kept.length < mostStages(space) && mayFollow(space.platforms, before, device)) {
      kept.push({ at, device });
    }
  }
  return { positions: kept.slice(1).map(({ at }) => at), devices: kept.map(({ device }) => device) };
}

/** Random elements of the space. */
export class CutBreeder {
  constructor(
    private readonly space: CutSpace,
    private readonly random: () => number,
  ) {}

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private start(): Start {
    return { at: this.below(this.space.operators), device: this.below(this.space.devices) };
  }

  readonly create = (): Cuts =>
    legal(
      this.space,
      Array.from({ length: 1 + this.below(mostStages(this.space)) }, () => this.start()),
    );

  /** The first of `a`, then the last of `b`. */
  readonly cross = (a: Cuts, b: Cuts): Cuts => {
    const at = this.below(this.space.operators);
    const [first, last] = [startsOf(a), startsOf(b)];
    const device = last.findLast((start) => start.at <= at)!.device;
    return legal(this.space, [
      ...first.filter((start) => start.at < at),
      { at, device },
      ...last.filter((start) => start.at > at),
    ]);
  };

  /** Moves a cut, or begins, ends or moves a stage. */
  readonly mutate = (cuts: Cuts): Cuts => {
    const starts = startsOf(cuts);
    const chosen = this.below(starts.length);
    const { at, device } = starts[chosen]!;
    const step = Math.ceil(this.space.operators * this.random() ** 4 * 0.5) * (this.random() < 0.5 ? -1 : 1);
    const moved = Math.min(this.space.operators - 1, Math.max(1, at + step));
    const changes: readonly (() => Start[])[] = [
      () => (chosen === 0 ? starts : starts.with(chosen, { at: moved, device })),
      () => starts.with(chosen, { at, device: this.below(this.space.devices) }),
      () => [...starts, this.start()],
      () => starts.toSpliced(chosen, 1),
    ];
    return legal(this.space, starts.length > 1 ? changes[this.below(4)]!() : changes[1 + this.below(2)]!());
  };
}
