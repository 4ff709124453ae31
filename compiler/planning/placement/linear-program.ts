/** Linear programs, some of whose variables are whole numbers, solved by HiGHS. */
import type { Highs } from 'highs';

/** Coefficients by variable, and a constant. */
export interface Linear {
  readonly terms: ReadonlyMap<number, number>;
  readonly constant: number;
}

export const constant = (value: number): Linear => ({ terms: new Map(), constant: value });
export const variable = (index: number): Linear => ({ terms: new Map([[index, 1]]), constant: 0 });

/** The sum of expressions, each times its factor. */
export function combine(parts: Iterable<readonly [factor: number, part: Linear]>): Linear {
  const terms = new Map<number, number>();
  let total = 0;
  for (const [factor, part] of parts) {
    total += factor * part.constant;
    for (const [index, coefficient] of part.terms) terms.set(index, (terms.get(index) ?? 0) + factor * coefficient);
  }
  return { terms, constant: total };
}

export const sum = (parts: readonly Linear[]): Linear => combine(parts.map((part) => [1, part]));
export const difference = (left: Linear, right: Linear): Linear =>
  combine([
    [1, left],
    [-1, right],
  ]);
export const times = (factor: number, part: Linear): Linear => combine([[factor, part]]);

export interface Solution {
  /** By variable. */
  readonly values: readonly number[];
  /** False: time was up before anything better was ruled out. */
  readonly proven: boolean;
}

export interface SearchOptions {
  /** When the best that was found so far will do. */
  readonly seconds: number;
  /** Values of some variables in a solution that is known; of the whole-number ones all. */
  readonly start?: ReadonlyMap<number, number> | undefined;
  /** Makes the program smaller first; not worth the time where the linear program's own corners are whole. */
  readonly presolve?: boolean;
}

interface Variable {
  readonly upper: number;
  readonly whole: boolean;
}
interface Row {
  readonly indices: readonly number[];
  readonly values: readonly number[];
  readonly atLeast: number;
}

/** Scales the largest objective coefficient to this: HiGHS's tolerances are absolute, 1e-7 and above. */
const LARGEST_COST = 1e4;
/** An optimum is proven when it is within this share of the bound. */
const GAP = 1e-9;

let solver: Highs | undefined;
/** Has to be awaited before anything is solved: HiGHS is 3.5 MB of WebAssembly, loaded by those who need it (50 ms). */
export async function loadSolver(): Promise<void> {
  const { default: found } = await import('highs');
  // It is an ES module whose types describe a CommonJS one, where the loader lies one level deeper.
  solver ??= await (typeof found === 'function' ? found : found.default)();
}

const largest = (values: Iterable<number>): number =>
  [...values].reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** A program to minimise. Variables are at least 0. */
export class LinearProgram {
  private readonly variables: Variable[] = [];
  private readonly rows: Row[] = [];

  /** The index of a new variable. */
  variable({ upper = 1, whole = false }: Partial<Variable> = {}): number {
    return this.variables.push({ upper, whole }) - 1;
  }

  /** Demands `left` ≥ `right`. */
  atLeast(left: Linear, right: Linear): void {
    const { terms, constant: offset } = difference(left, right);
    // Scaled, so that a tolerance means the same whatever the unit.
    const scale = largest(terms.values()) || 1;
    const used = [...terms].filter(([, value]) => value !== 0);
    this.rows.push({
      indices: used.map(([index]) => index),
      values: used.map(([, value]) => value / scale),
      atLeast: -offset / scale,
    });
  }

  /** The least of `objective`; impossible: nothing meets every demand; late: time was up before anything was found. */
  minimise(objective: Linear, { seconds, start, presolve = false }: SearchOptions): Solution | 'impossible' | 'late' {
    if (!solver) throw new Error('loadSolver() comes first');
    // HiGHS does not solve a program without variables.
    if (this.variables.length === 0) {
      return this.rows.some(({ atLeast }) => atLeast > 0) ? 'impossible' : { values: [], proven: true };
    }
    const { infinity, constants } = solver;
    const scale = LARGEST_COST / (largest(objective.terms.values()) || 1);
    const starts = [0];
    for (const { indices } of this.rows) starts.push(starts.at(-1)! + indices.length);
    const whole = this.variables.some((one) => one.whole);
    const model = solver.createModel({
      numCols: this.variables.length,
      numRows: this.rows.length,
      colCost: this.variables.map((_, i) => scale * (objective.terms.get(i) ?? 0)),
      colLower: this.variables.map(() => 0),
      colUpper: this.variables.map(({ upper }) => (upper === Number.POSITIVE_INFINITY ? infinity : upper)),
      rowLower: this.rows.map(({ atLeast }) => atLeast),
      rowUpper: this.rows.map(() => infinity),
      matrix: {
        format: 'csr',
        numRows: this.rows.length,
        numCols: this.variables.length,
        starts,
        indices: this.rows.flatMap(({ indices }) => indices),
        values: this.rows.flatMap(({ values }) => values),
      },
      ...(whole
        ? {
            integrality: this.variables.map((one) =>
              one.whole ? constants.variableType.integer : constants.variableType.continuous,
            ),
          }
        : {}),
    });
    try {
      model.options.set({
        output_flag: false,
        time_limit: seconds,
        mip_rel_gap: GAP,
        mip_abs_gap: GAP,
        presolve: presolve ? 'on' : 'off',
      });
      if (start) model.setSolution({ indices: [...start.keys()], values: [...start.values()] });
      model.run();
      const status = model.getModelStatus();
      const { infeasible, optimal, unboundedOrInfeasible } = constants.modelStatus;
      if (status === infeasible || status === unboundedOrInfeasible) return 'impossible';
      if (model.info.get('primal_solution_status') !== constants.solutionStatus.feasible) return 'late';
      const values = [...model.getSolution().colValue];
      return { values, proven: status === optimal };
    } finally {
      model.dispose();
    }
  }
}
