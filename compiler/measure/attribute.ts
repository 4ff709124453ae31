/** Kernels that ran → seconds of the operators they came from, and of the changes of layout before and after them. */
import type { Compute } from '../ir/program.ts';
import { roleOf } from './tile-model.ts';
import type { Kernel } from './trace.ts';

export interface Attributed {
  /** Of each operator; 0 for one that runs inside another's kernel. */
  readonly seconds: number[];
  /** Of the changes of layout before the first and after the last operator's kernel. */
  readonly enter: number;
  readonly leave: number;
  /** Distance of the quartiles of the sum, as a share of its median. */
  readonly spread: number;
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

/** Put in by onnxruntime where layouts change. */
const isReorder = ({ type }: Kernel): boolean => type === 'ReorderInput' || type === 'ReorderOutput';

/**
 * The kernels of each of `count` variants, in the order they ran. Changes of layout bear no name: those between a variant's
 * kernels are its own, and what is brought out of the blocked layout after them.
 */
export function kernelsByVariant(kernels: readonly Kernel[], count: number): readonly Kernel[][] {
  const roles = kernels.map((kernel) => roleOf(kernel.name));
  return Array.from({ length: count }, (_, index) => {
    const first = roles.findIndex((role) => role?.index === index);
    const last = roles.findLastIndex((role) => role?.index === index);
    if (first < 0 || roles.slice(first, last).some((role) => role !== null && role.index !== index)) return [];
    const next = kernels.findIndex(({ type }, i) => i > last && type !== 'ReorderOutput');
    return kernels.slice(first, next < 0 ? kernels.length : next);
  });
}

/** Seconds of each run in all. */
function totals(kernels: readonly Kernel[]): number[] {
  const runs = Math.min(...kernels.map(({ seconds }) => seconds.length));
  return Array.from({ length: runs }, (_, run) => kernels.reduce((sum, { seconds }) => sum + seconds[run]!, 0));
}

const medians = (kernels: readonly Kernel[]): number =>
  kernels.reduce((sum, { seconds }) => sum + quantile(seconds, 0.5), 0);

/**
 * A kernel is the operator's of its type, looked for after the last one found; kernels of other types (FusedGemm, QuickGelu, a
 * Slice that crops) belong to the operator that is next, changes of layout between operators to the later one.
 */
function byOperator(operators: readonly Compute[], kernels: readonly Kernel[]): number[] {
  const seconds = operators.map(() => 0);
  let next = 0;
  let waiting = 0;
  for (const kernel of kernels) {
    waiting += medians([kernel]);
    if (isReorder(kernel)) continue;
    const found = operators.findIndex(({ type }, i) => i >= next && type === kernel.type);
    const at = found < 0 ? Math.min(next, operators.length - 1) : found;
    seconds[at]! += waiting;
    waiting = 0;
    if (found >= 0) next = found + 1;
  }
  return seconds;
}

/** Without makers, what brings their inputs into the blocked layout, and sinks. */
function withoutHelpers(kernels: readonly Kernel[]): Kernel[] {
  const isHelper = ({ name }: Kernel) => ['maker', 'sink'].includes(roleOf(name)?.role ?? '');
  return kernels.filter(
    (kernel, i) =>
      !isHelper(kernel) &&
      !(kernel.type === 'ReorderInput' && kernels[i + 1] && roleOf(kernels[i + 1]!.name)?.role === 'maker'),
  );
}

/** Inputs that were to come in the blocked layout do not: a maker could not make it, or what it made is brought out of it first. */
const isVoid = (kernels: readonly Kernel[]): boolean =>
  kernels.some(({ type, name }, i) => {
    if (roleOf(name)?.role !== 'maker' || type !== 'MaxPool') return false;
    return !name.endsWith('_nchwc') || kernels[i + 1]?.type === 'ReorderOutput';
  });

/**
 * @param kernels of one variant, see {@link kernelsByVariant}
 * @returns null where inputs did not come in the layout they were to come in, or nothing ran
 */
export function attribute(
  operators: readonly Compute[],
  kernels: readonly Kernel[],
  warmUp: number,
): Attributed | null {
  const own = withoutHelpers(kernels).map((kernel) => ({ ...kernel, seconds: kernel.seconds.slice(warmUp) }));
  const first = own.findIndex((kernel) => !isReorder(kernel));
  const last = own.findLastIndex((kernel) => !isReorder(kernel));
  if (first < 0 || isVoid(kernels)) return null;
  const kept = own.slice(first, last + 1);
  const runs = totals(kept);
  const middle = quantile(runs, 0.5);
  return {
    seconds: byOperator(operators, kept),
    enter: medians(own.slice(0, first)),
    leave: medians(own.slice(last + 1)),
    spread: middle > 0 ? (quantile(runs, 0.75) - quantile(runs, 0.25)) / middle : 0,
  };
}
