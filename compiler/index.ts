/** shardonnx as a library. */

export { unrollRecurrence } from '../passes/unroll-recurrence.ts';
export { openBundle } from '../runtime/index.ts';
export { type Cluster, loadCluster, parseCluster } from './cluster/cluster.ts';
export { type Comparison, compare, halfTolerance, type Tolerance, tolerance } from './compare.ts';
export { type Compiled, type CompileOptions, compile } from './compile.ts';
export type { Accuracy, Encoded } from './encode.ts';
export { CompileError } from './error.ts';
export { parseProgram } from './ir/parse.ts';
export * from './ir/program.ts';
export type { Region, Span } from './ir/region.ts';
export { formatProgram } from './ir/text.ts';
export { verifyProgram } from './ir/verify.ts';
export { type Lowered, type LowerOptions, lower, prepare } from './lower.ts';
export { importModel as loadModel } from './onnx/import.ts';
export { definePass, type Pass, type PassContext } from './pass.ts';
export { formatPlan, type Plan, parsePlan } from './planning/plan.ts';
export { makePlan } from './planning/policies/index.ts';
export type { Schedule } from './planning/schedule.ts';
export { type SimulationReport, simulate } from './planning/simulation/report.ts';
export type { Workload } from './planning/simulation/workload.ts';
export { best, judge, planBy } from './policies.ts';
