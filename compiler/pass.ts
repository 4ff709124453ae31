/** A pass takes a program and returns a new one. */
import type { Cluster } from './cluster/cluster.ts';
import type { Program, Stage } from './ir/program.ts';
import type { Plan } from './planning/plan.ts';

/** What a pass may look at beside the program. */
export interface PassContext {
  readonly cluster: Cluster;
  /** null before there is one: at the imported stage. */
  readonly plan: Plan | null;
}

export interface Pass<From extends Stage = Stage, To extends Stage = From> {
  /** verb-noun. */
  readonly name: string;
  /** The stage it takes; what it returns is verified against `to`. */
  readonly from: From;
  readonly to: To;
  // A property, not a method: TypeScript then refuses passes in a wrong order of stages.
  readonly run: (program: Program<From>, context: PassContext) => Program<To>;
}

/** A pass that leaves the program in the stage it takes. */
export type UserPass = { [S in Stage]: Pass<S> }[Stage];

/** Those of `stage`. */
export const passesOf = <S extends Stage>(passes: readonly UserPass[], stage: S): Pass<S>[] =>
  // TypeScript cannot see that the filter picks the union's member of this stage.
  passes.filter((pass) => pass.from === stage) as unknown as Pass<S>[];

/** A user's pass: runs after the stage it names and leaves the program in it. Export it as default from the --pass file. */
export const definePass = <S extends Stage>(pass: {
  readonly name: string;
  readonly stage: S;
  readonly run: (program: Program<S>, context: PassContext) => Program<S>;
}): Pass<S> => ({ name: pass.name, from: pass.stage, to: pass.stage, run: pass.run });
