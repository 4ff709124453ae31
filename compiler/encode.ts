/**
 * Chooses what crosses in fewer bits: what makes the plan faster, as far as an accuracy budget allows. Speed is predicted, errors
 * are measured: plans are built and run in this process.
 */
import { CompileError } from './error.ts';
import { type Choice, choicesOf, finerOf } from './planning/encoding-choices.ts';
import { type BytesPerFloat, crossings, withoutEncodings } from './planning/encodings.ts';
import type { Encoding, Plan } from './planning/plan.ts';
import { type InputMaker, Rehearsal, type Subject } from './rehearsal.ts';

export interface Accuracy {
  /** How far each output may be from onnxruntime's, as a share of its largest magnitude. */
  readonly maxRelativeError: number;
  /** What errors are measured on; random if left out. */
  readonly inputs?: InputMaker | undefined;
  /** Told of every run. */
  readonly progress?: ((what: string, done: number, total: number) => void) | undefined;
}

export interface Encoded {
  /** With the encodings that gain something and that the budget allows; maybe none. */
  readonly plan: Plan;
  /** Measured, of the output that is furthest off; null: nothing crosses that could be encoded. */
  readonly relativeError: number | null;
  /** float32 tensors that cross as they are: encoded too, they would break the budget. */
  readonly overBudget: readonly string[];
  /** The same: encoded, they would not make the plan faster. */
  readonly needless: readonly string[];
}

/** Runs beside the exact one; what is undecided after them stays as it is. */
const MOST_RUNS = 16;
/** Predictions for one choice; what is undecided after them counts as a gain. */
const MOST_PREDICTIONS = 48;

/** Encodings by tensor. */
type Encodings = ReadonlyMap<string, Encoding>;

/** Adds encodings as long as they gain something and the budget holds. */
class Chooser {
  private runs = 0;

  constructor(
    private readonly rehearsal: Rehearsal,
    private readonly exact: Plan,
    private readonly accuracy: Accuracy,
    /** Measured, of the plan with what is chosen. */
    public error: number,
    public encodings: Encodings = new Map(),
  ) {}

  plan(encodings: Encodings = this.encodings): Plan {
    const { maxRelativeError } = this.accuracy;
    return encodings.size > 0
      ? { ...this.exact, maxRelativeError, encodings: Object.fromEntries(encodings) }
      : this.exact;
  }

  /** Of choices on top of what is chosen, those without which the plan would be worse. */
  worthwhile(choices: readonly Choice[], base = this.encodings): Choice[] {
    const predict = (some: readonly Choice[]) => this.rehearsal.value(this.plan(new Map([...base, ...some])));
    let kept = choices;
    let best = predict(kept);
    let predictions = 1;
    const leaveOut = (group: readonly Choice[]): void => {
      if (group.length === 0 || predictions++ >= MOST_PREDICTIONS || this.rehearsal.isStopped) return;
      const others = kept.filter((choice) => !group.includes(choice));
      const without = predict(others);
      if (without <= best) [kept, best] = [others, without];
      else if (group.length > 1) {
        const half = Math.ceil(group.length / 2);
        leaveOut(group.slice(half));
        leaveOut(group.slice(0, half));
      }
    };
    leaveOut(choices);
    return [...kept];
  }

  /**
   * Takes all of `choices` if the budget allows that, else what it can of the first half, then of the second.
   * @param finer the same, nearer to what is exact and as many bytes: taken instead of those that are too coarse all together
   */
  async add(choices: readonly Choice[], finer?: readonly Choice[]): Promise<void> {
    if (choices.length === 0 || this.runs === MOST_RUNS || this.rehearsal.isStopped) return;
    if (await this.take(new Map([...this.encodings, ...choices]))) return;
    if (finer) await this.add(finer);
    else await this.addHalves(choices);
  }

  /** Takes what it can of choices that are too many together. */
  private async addHalves(choices: readonly Choice[]): Promise<void> {
    if (choices.length === 1) return;
    const half = Math.ceil(choices.length / 2);
    const first = choices.slice(0, half);
    await this.add(first);
    const rest = choices.slice(half);
    // The whole of the first half and the whole of the rest are too many together: that was measured.
    if (first.every(([tensor, encoding]) => this.encodings.get(tensor) === encoding)) await this.addHalves(rest);
    else await this.add(rest);
  }

  /** Leaves out what gains nothing beside all that was chosen in the end. */
  async tidy(): Promise<void> {
    const needed = new Map(this.worthwhile([...this.encodings], new Map()));
    if (needed.size < this.encodings.size) await this.take(needed);
  }

  private async take(encodings: Encodings): Promise<boolean> {
    this.accuracy.progress?.(`measuring ${encodings.size} encodings`, ++this.runs, MOST_RUNS + 1);
    const { error } = await this.rehearsal.run(this.plan(encodings));
    const fits = error <= this.accuracy.maxRelativeError;
    if (fits) [this.encodings, this.error] = [encodings, error];
    return fits;
  }
}

/**
 * The plan with the encodings that make it faster and that the budget allows: float16 first, then 8 bits, with a range for each
 * channel where one for the tensor is too coarse; where all together break the budget, halves are tried.
 * @throws what lowering and running the plan throw
 */
export async function chooseEncodings(subject: Subject, given: Plan, accuracy: Accuracy): Promise<Encoded> {
  const plan = withoutEncodings(given);
  const rehearsal = new Rehearsal(subject, accuracy.inputs);
  const { schedule } = rehearsal.lower(plan);
  const candidates = crossings(schedule);
  if (candidates.length === 0) return { plan, relativeError: null, overBudget: [], needless: [] };
  accuracy.progress?.('measuring the exact plan', 0, MOST_RUNS + 1);
  const watched = candidates.filter(({ addends }) => !addends).map(({ tensor }) => tensor);
  const { tensors, error } = await rehearsal.run(plan, watched);
  if (error > accuracy.maxRelativeError)
    return { plan, relativeError: error, overBudget: candidates.map(({ tensor }) => tensor), needless: [] };
  const chooser = new Chooser(rehearsal, plan, accuracy, error);
  const wanted = new Set<string>();
  for (const name of ['float16', 'int8'] as const) {
    const choices = chooser.worthwhile(choicesOf(schedule.program, candidates, name, tensors));
    for (const [tensor] of choices) wanted.add(tensor);
    await chooser.add(choices, name === 'int8' ? finerOf(schedule.program, choices, tensors) : undefined);
  }
  await chooser.tidy();
  const exact = candidates.map(({ tensor }) => tensor).filter((tensor) => !chooser.encodings.has(tensor));
  return {
    plan: chooser.plan(),
    relativeError: chooser.error,
    overBudget: exact.filter((tensor) => wanted.has(tensor)),
    needless: exact.filter((tensor) => !wanted.has(tensor)),
  };
}

type Planner = (bytesPerFloat: BytesPerFloat) => Promise<Plan>;

export interface EncodedPlan extends Encoded {
  /** What the planner was told of what crosses. */
  readonly bytesPerFloat: BytesPerFloat;
}

/** A plan, or why the user can have none. */
async function attempt(planner: Planner, bytesPerFloat: BytesPerFloat): Promise<Plan | CompileError> {
  try {
    return await planner(bytesPerFloat);
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
}

/**
 * A plan made as if all crossed as float16, encoded; or the one made as if nothing were encoded, encoded too, if that is better:
 * the budget may not allow all of float16, and encoding takes time. @throws what planning, lowering and running throw
 */
export async function planWithin(subject: Subject, planner: Planner, accuracy: Accuracy): Promise<EncodedPlan> {
  const rehearsal = new Rehearsal(subject);
  const encode = async (plan: Plan, bytesPerFloat: BytesPerFloat): Promise<EncodedPlan> => ({
    ...(await chooseEncodings(subject, plan, accuracy)),
    bytesPerFloat,
  });
  const [half, exact] = [await attempt(planner, 2), await attempt(planner, 4)];
  if (half instanceof CompileError) {
    if (exact instanceof CompileError) throw exact;
    return encode(exact, 4);
  }
  const first = await encode(half, 2);
  const isAllowed = first.overBudget.length === 0;
  if (exact instanceof CompileError) {
    if (rehearsal.value(first.plan) < Number.POSITIVE_INFINITY) return first;
    throw exact;
  }
  if (JSON.stringify(exact.operators) === JSON.stringify(half.operators))
    return { ...first, bytesPerFloat: isAllowed && first.plan.encodings ? 2 : 4 };
  if (isAllowed && rehearsal.value(first.plan) <= rehearsal.value(exact)) return first;
  const second = await encode(exact, 4);
  return rehearsal.value(second.plan) < rehearsal.value(first.plan) ? second : first;
}

/** What a plan's own encodings come to. @throws encoding-error where that is more than the budget allows */
export async function checkEncodings(subject: Subject, given: Plan, accuracy: Accuracy): Promise<Encoded> {
  const { maxRelativeError } = accuracy;
  const plan = { ...given, maxRelativeError };
  const rehearsal = new Rehearsal(subject, accuracy.inputs);
  accuracy.progress?.('measuring encodings', 0, 1);
  const { error } = await rehearsal.run(plan);
  if (error <= maxRelativeError) return { plan, relativeError: error, overBudget: [], needless: [] };
  const off = Number.isFinite(error) ? `by ${error.toExponential(1)} of its largest magnitude` : 'beyond all numbers';
  throw new CompileError(
    'encoding-error',
    `the plan's encodings put an output off ${off}, ${maxRelativeError} allowed`,
    {
      at: ['plan, encodings'],
      hint: 'leave "encodings" out of the plan: --max-relative-error then chooses what it allows',
    },
  );
}
