/** What an operator costs where nothing was measured: arithmetic and memory traffic against round figures of one x86-64 core. */
import { bytesPerElement } from '../../../runtime/dtype.ts';
import type { Assemble, Compute, Program, Value } from '../../ir/program.ts';
import { isKnown, reads, tensorOf, writes } from '../../ir/program.ts';
import { count } from '../../ir/region.ts';
import { isWhole } from '../../operators/rule.ts';
import { cutsOf } from '../cuts.ts';

/** VGG-19's 39 GFLOP take 355 ms on one core of the machine in design §10. */
const FLOPS = 1.1e11;
/** Bytes per second through memory. */
const MEMORY = 8e9;
/** Seconds to dispatch one operator. */
const DISPATCH = 3e-6;

/** Seconds to start one onnxruntime session. */
const SESSION = 1e-4;
/** Seconds per byte that leaves a session: it is copied, and convolutions lose their blocked layout and fused neighbours. */
const BORDER = 4e-10;

/** What a border between two sessions costs a device of speed 1 that `bytes` cross. */
export const borderSeconds = (bytes: number): number => SESSION + bytes * BORDER;

/** What joining or cutting `bytes` costs a device of speed 1: they are read and written. */
export const assembleSeconds = (bytes: number): number => DISPATCH + (2 * bytes) / MEMORY;

/** Elements of a tensor; 1 for each size that only the data decides. */
const elements = (shape: readonly (number | null)[]): number => shape.reduce<number>((n, size) => n * (size ?? 1), 1);

/** Bytes of a value as its device holds it. */
export function valueBytes(program: Program, value: Value): number {
  const { dtype, shape } = tensorOf(program, value.tensor);
  return (value.region ? count(value.region) : elements(shape)) * (dtype ? bytesPerElement(dtype) : 0);
}

/** Fewer multiply-adds than this take less time than a message that saves them. */
export const TINY = 100_000;

/** Multiply-adds of the whole operator, as its rule says; its outputs' elements where it has none. */
function operations(imported: Program<'imported'>, origin: string): number {
  const { cuts, operators } = cutsOf(imported);
  const cut = cuts.get(origin);
  if (cut && !isWhole(cut)) return cut.operations;
  const operator = operators.get(origin);
  // A pass of the user's may add operators that the model does not have: their own traffic alone counts.
  if (!operator) return 0;
  return writes(operator).reduce((sum, value) => sum + elements(tensorOf(imported, value.tensor).shape), 0);
}

/** The share of an operator that one tile of it is, by output elements and addends. */
export function share(program: Program, tile: Compute): number {
  const output = tile.outputs.find((value) => value !== null);
  const shape = output ? tensorOf(program, output.tensor).shape : [];
  if (!output?.region || !isKnown(shape)) return 1;
  return count(output.region) / Math.max(1, elements(shape)) / (output.partial?.count ?? 1);
}

/** Estimated seconds on a device of speed 1. */
export class Roofline {
  private readonly whole = new Map<string, number>();

  constructor(private readonly imported: Program<'imported'>) {}

  seconds(program: Program, operator: Compute | Assemble): number {
    const bytes = [...reads(operator), ...writes(operator)].reduce((sum, value) => sum + valueBytes(program, value), 0);
    return DISPATCH + Math.max(this.arithmetic(program, operator), bytes / MEMORY);
  }

  private arithmetic(program: Program, operator: Compute | Assemble): number {
    if (operator.kind === 'assemble') return 0;
    const { origin } = operator;
    let whole = this.whole.get(origin);
    if (whole === undefined) {
      whole = operations(this.imported, origin);
      this.whole.set(origin, whole);
    }
    return (2 * whole * share(program, operator)) / FLOPS;
  }
}
