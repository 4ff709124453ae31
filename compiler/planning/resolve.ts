/** A plan against a program: every part as spans of the operator's letters, checked to cover each element exactly once. */
import type { Cluster } from '../cluster/cluster.ts';
import { CompileError } from '../error.ts';
import type { Partial, Program } from '../ir/program.ts';
import { isKnown, reads, tensorOf, writes } from '../ir/program.ts';
import {
  equalRegions,
  formatRegion,
  intersect,
  isEmpty,
  parseRegion,
  type Region,
  type Span,
  subtractAll,
  wholeRegion,
} from '../ir/region.ts';
import { type Cut, isWhole, outputRegion, type Spans, type Whole } from '../operators/rule.ts';
import { cutsOf } from './cuts.ts';
import type { Plan, PlanPart } from './plan.ts';

export { outputRegion };

export interface ResolvedPart {
  readonly device: string;
  /** One span a letter; null: the operator runs whole. */
  readonly spans: Spans | null;
  readonly partial?: Partial;
}

const fail = (code: string, message: string, operator: string, hint: string): never => {
  throw new CompileError(code, message, { at: [`plan, operator "${operator}"`], hint });
};

const whole = new WeakMap<Cut, Spans>();

/** Every letter whole. Computed once a cut. */
export function wholeSpans(cut: Cut): Spans {
  const found =
    whole.get(cut) ??
    Object.fromEntries(Object.entries(cut.letters).map(([letter, { size }]): [string, Span] => [letter, [0, size]]));
  whole.set(cut, found);
  return found;
}

/** The letters of the first output an operator has: what a part's region is written in. */
export const primaryLetters = (cut: Cut): readonly string[] => cut.outputs.find((letters) => letters !== null) ?? [];

/** Spans of the part whose first output is `region`; letters that it does not have are whole. */
export const spansOf = (cut: Cut, region: Region): Spans => ({
  ...wholeSpans(cut),
  ...Object.fromEntries(primaryLetters(cut).map((letter, i) => [letter, region[i]!])),
});

/** The smallest legal spans whose first output holds `region`. */
export function alignedSpans(cut: Cut, region: Region): Spans {
  const primary = primaryLetters(cut);
  return spansOf(
    cut,
    region.map(([begin, end], i) => {
      const { kind, size, step = 1 } = cut.letters[primary[i]!]!;
      if (kind === 'whole') return [0, size];
      return [begin - (begin % step), Math.min(size, Math.ceil(end / step) * step)];
    }),
  );
}

/** Resolves one operator's parts. `shape` is the first output's. */
class OperatorResolver {
  constructor(
    private readonly name: string,
    private readonly cut: Cut | Whole,
    private readonly shape: readonly number[],
    private readonly devices: readonly string[],
  ) {}

  resolve(parts: readonly PlanPart[]): ResolvedPart[] {
    for (const { device } of parts) {
      if (!this.devices.includes(device)) {
        fail('plan-device', `no device "${device}"`, this.name, `devices are ${this.devices.join(', ')}`);
      }
    }
    if (isWhole(this.cut) || isEmpty(wholeRegion(this.shape))) return this.whole(parts);
    const cut = this.cut;
    const regions = parts.map((part) => this.region(part));
    const spans = parts.map((part, i) => this.spans(cut, part, regions[i]!));
    const partials = this.partials(cut, spans, regions);
    this.covers(parts, regions, partials);
    return parts.map(({ device }, i) => ({
      device,
      spans: spans[i]!,
      ...(partials[i] ? { partial: partials[i] } : {}),
    }));
  }

  private whole(parts: readonly PlanPart[]): ResolvedPart[] {
    const reason = isWhole(this.cut) ? this.cut.whole : 'it has no elements';
    const all = wholeRegion(this.shape);
    for (const part of parts) {
      const region = part.region === undefined ? all : parseRegion(part.region, this.shape);
      if (part.reduce || !region || !equalRegions(region, all)) {
        fail('plan-region', `runs whole: ${reason}`, this.name, 'leave region and reduce out');
      }
    }
    return [...new Set(parts.map(({ device }) => device))].map((device) => ({ device, spans: null }));
  }

  private region(part: PlanPart): Region {
    const whole = wholeRegion(this.shape);
    if (part.region === undefined) return whole;
    const region = parseRegion(part.region, this.shape);
    const inside = region?.every(([begin, end], i) => begin < end && end <= this.shape[i]!);
    if (region && inside) return region;
    return fail(
      'plan-region',
      `${part.region} is no region of [${this.shape}]`,
      this.name,
      'write [:,0:56]: half-open, not empty',
    );
  }

  private spans(cut: Cut, part: PlanPart, region: Region): Spans {
    const spans: Record<string, Span> = { ...spansOf(cut, region) };
    for (const [letter, text] of Object.entries(part.reduce ?? {})) {
      const [begin, end] = text.split(':').map(Number) as [number, number];
      const found = cut.letters[letter];
      if (found?.kind !== 'reduce' || begin >= end || end > found.size) {
        const letters = Object.entries(cut.letters).filter(([, l]) => l.kind === 'reduce');
        const known = letters.map(([l, { size }]) => `${l} (0:${size})`).join(', ') || 'none';
        fail(
          'plan-reduce',
          `cannot reduce along ${letter} ${text}`,
          this.name,
          `${cut.notation} has reduce letters: ${known}`,
        );
      }
      spans[letter] = [begin, end];
    }
    for (const [letter, [begin, end]] of Object.entries(spans)) {
      const { kind, size, step = 1 } = cut.letters[letter]!;
      if (begin === 0 && end === size) continue;
      if (kind === 'whole')
        fail(
          'plan-region',
          `${cut.notation} cannot be cut along ${letter}`,
          this.name,
          'leave that dimension whole (:)',
        );
      if (begin % step !== 0 || (end % step !== 0 && end !== size)) {
        fail(
          'plan-region',
          `${letter} ${begin}:${end} must be cut at multiples of ${step}`,
          this.name,
          `${cut.notation}, ${letter} has ${size}`,
        );
      }
    }
    return spans;
  }

  /** Parts of one region that share its reduction, numbered in the order of their spans. */
  private partials(cut: Cut, spans: readonly Spans[], regions: readonly Region[]): (Partial | undefined)[] {
    const reduces = Object.keys(cut.letters).filter((letter) => cut.letters[letter]!.kind === 'reduce');
    const box = (s: Spans): Region => reduces.map((letter) => s[letter]!);
    const whole: Region = reduces.map((letter) => [0, cut.letters[letter]!.size]);
    return regions.map((region, i) => {
      if (equalRegions(box(spans[i]!), whole)) return undefined;
      const group = regions.flatMap((other, j) => (equalRegions(other, region) ? [j] : []));
      const boxes = group.map((j) => box(spans[j]!));
      const overlap = boxes.some((a, j) => boxes.some((b, k) => j < k && !isEmpty(intersect(a, b))));
      if (overlap || subtractAll(whole, boxes).length > 0) {
        const what = overlap ? 'adds a part of the reduction twice' : 'misses a part of the reduction';
        fail(
          'plan-reduce',
          `${formatRegion(region, this.shape)} ${what}`,
          this.name,
          'its parts must tile the reduce letters',
        );
      }
      const order = [...group].sort((a, b) => {
        const [x, y] = [box(spans[a]!), box(spans[b]!)];
        const axis = x.findIndex((span, k) => span[0] !== y[k]![0]);
        return x[axis]![0] - y[axis]![0];
      });
      return { combine: cut.combine!, index: order.indexOf(i), count: group.length };
    });
  }

  private covers(
    parts: readonly PlanPart[],
    regions: readonly Region[],
    partials: readonly (Partial | undefined)[],
  ): void {
    const missing = subtractAll(wholeRegion(this.shape), regions)[0];
    if (missing) {
      fail(
        'plan-misses',
        `nobody computes ${formatRegion(missing, this.shape)}`,
        this.name,
        `its output is [${this.shape}]`,
      );
    }
    for (const [i, a] of regions.entries()) {
      for (let j = i + 1; j < regions.length; j++) {
        const twice = intersect(a, regions[j]!);
        const sameSum = partials[i] && partials[j] && equalRegions(a, regions[j]!);
        const sameDevice = parts[i]!.device === parts[j]!.device;
        // Overlaps between devices are recomputed halos; partials of overlapping regions could not be told apart.
        if (isEmpty(twice) || sameSum || (!sameDevice && !partials[i] && !partials[j])) continue;
        fail(
          'plan-overlap',
          `${formatRegion(twice, this.shape)} is computed twice on ${parts[i]!.device}`,
          this.name,
          'make the regions disjoint',
        );
      }
    }
  }
}

const isOpaque = (program: Program, tensor: string): boolean => tensorOf(program, tensor).dtype === null;

/** Sequences, maps, and dtypes that JavaScript lacks cannot be sent: who reads one must make it too. */
function checkOpaque(program: Program<'imported'>, resolved: ReadonlyMap<string, readonly ResolvedPart[]>): void {
  for (const name of [...program.inputs, ...program.outputs].filter((one) => isOpaque(program, one))) {
    const what = `${program.inputs.includes(name) ? 'input' : 'output'} "${name}" of the model`;
    throw new CompileError('opaque-value', `${what} is no tensor that onnxruntime-node can pass on`, {
      at: [`model ${program.name}`],
      hint: 'let the model take and give tensors',
    });
  }
  const makers = new Map<string, { readonly operator: string; readonly devices: readonly string[] }>();
  for (const operator of program.operators) {
    const devices = resolved.get(operator.origin)?.map(({ device }) => device);
    // Every device makes for itself what only weights decide.
    if (!devices) continue;
    for (const { tensor } of reads(operator)) {
      const maker = makers.get(tensor);
      const without = maker && devices.find((device) => !maker.devices.includes(device));
      if (!maker || without === undefined) continue;
      const message = `"${tensor}" is no tensor that ${maker.devices[0]} could send to ${without}`;
      fail('opaque-value', message, operator.origin, `run it where "${maker.operator}" runs`);
    }
    for (const { tensor } of writes(operator)) {
      if (isOpaque(program, tensor)) makers.set(tensor, { operator: operator.origin, devices });
    }
  }
}

/** @throws plan-device, plan-region, plan-reduce, plan-misses, plan-overlap, plan-operator, opaque-value */
export function resolvePlan(program: Program<'imported'>, cluster: Cluster, plan: Plan): Map<string, ResolvedPart[]> {
  const { operators, cuts, onDemand } = cutsOf(program);
  const devices = cluster.devices.map((device) => device.name);
  for (const name of Object.keys(plan.operators)) {
    if (!operators.has(name))
      fail('plan-operator', `${program.name} has no such operator`, name, 'shardonnx inspect lists them');
    const reason = onDemand.get(name);
    if (reason) fail('plan-operator', `${reason}: every device computes it itself`, name, 'leave it out');
  }
  const resolved = new Map<string, ResolvedPart[]>();
  for (const [name, operator] of operators) {
    if (onDemand.has(name)) continue;
    const entry = Object.hasOwn(plan.operators, name) ? plan.operators[name] : undefined;
    if (entry === undefined)
      fail('plan-operator', 'the plan does not say where it runs', name, 'add a line for it: a device name');
    const parts = typeof entry === 'string' ? [{ device: entry }] : entry!;
    const primary = operator.outputs.find((output) => output !== null);
    const shape = primary ? tensorOf(program, primary.tensor).shape : [];
    const resolver = new OperatorResolver(name, cuts.get(name)!, isKnown(shape) ? shape : [], devices);
    resolved.set(name, resolver.resolve(parts));
  }
  checkOpaque(program, resolved);
  return resolved;
}
