/** Operators shared by devices in proportion to speed, while a plan is made. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Compute, Program, Value } from '../../ir/program.ts';
import { tensorOf, wholeValue } from '../../ir/program.ts';
import { formatRegion, type Region, type Span } from '../../ir/region.ts';
import type { Cut, Spans } from '../../operators/rule.ts';
import { costsOf, stepSeconds } from '../costs/costs.ts';
import { cutsOf } from '../cuts.ts';
import type { Plan, PlanPart } from '../plan.ts';
import { outputRegion } from '../resolve.ts';

/** One operator's share of one device while planning; no other operator's, so that what it reads is remembered with it. */
export interface Share {
  readonly device: string;
  /** null: the operator runs whole. */
  readonly spans: Spans | null;
}
export interface Sharing {
  readonly operator: Compute;
  readonly cut: Cut | null;
  readonly shares: readonly Share[];
  /** The reduce letter that is cut, if one is. */
  readonly reduced?: string | undefined;
}

/** A device, and how fast it is relative to the others. */
export interface Paced {
  readonly name: string;
  readonly speed: number;
}

/** Seconds: a device whose table has nothing but zeros is no infinity faster than the others. */
const SHORTEST = 1e-9;

/**
 * The devices with how fast each is at this program, relative to the others: by measured costs where any device has them.
 * @throws profile, layer-table
 */
export function pacedDevices(program: Program<'imported'>, cluster: Cluster): readonly Paced[] {
  if (!cluster.devices.some(({ measured }) => measured)) return cluster.devices;
  const costs = costsOf(program, cluster);
  const outputs = program.outputs.map((name) => wholeValue(tensorOf(program, name)));
  const operators = [...cutsOf(program).operators.values()];
  return cluster.devices.map(({ name }) => {
    const segment = { kind: 'segment', index: 0, operators, inputs: [], outputs } as const;
    const [seconds = 0] = stepSeconds(costs, name, program, [segment]);
    return { name, speed: 1 / Math.max(seconds, SHORTEST) };
  });
}

/** Where a letter is cut so that every device gets its speed's share; devices without one are left out. */
export function spansBySpeed(devices: readonly Paced[], size: number, step = 1): { device: string; span: Span }[] {
  const total = devices.reduce((sum, { speed }) => sum + speed, 0);
  let sum = 0;
  let begin = 0;
  return devices.flatMap(({ name, speed }) => {
    sum += speed;
    const end = Math.min(size, Math.round(((size / step) * sum) / total) * step);
    const span: Span = [begin, end];
    begin = Math.max(begin, end);
    return span[0] < span[1] ? [{ device: name, span }] : [];
  });
}

/** What a share makes; addends are regions too. */
export const madeBy = ({ operator, cut }: Sharing, { spans }: Share): Value[] =>
  operator.outputs.flatMap((output, i) => {
    if (!output) return [];
    return cut && spans ? { ...output, region: outputRegion(cut, i, spans) } : output;
  });

function planPart(program: Program, sharing: Sharing, { device, spans }: Share): PlanPart {
  const { cut, operator, reduced } = sharing;
  if (!cut || !spans) return { device };
  const index = operator.outputs.findIndex((output) => output !== null);
  const { shape } = tensorOf(program, operator.outputs[index]!.tensor);
  const region: Region = outputRegion(cut, index, spans);
  const text = formatRegion(region, shape);
  return {
    device,
    ...(/\d/.test(text) ? { region: text } : {}),
    ...(reduced ? { reduce: { [reduced]: spans[reduced]!.join(':') } } : {}),
  };
}

/** The plan's lines. */
export const planOfSharings = (program: Program, sharings: readonly Sharing[]): Plan['operators'] =>
  Object.fromEntries(
    sharings.map((sharing): [string, Plan['operators'][string]] => {
      const parts = sharing.shares.map((share) => planPart(program, sharing, share));
      const [only] = parts;
      return [sharing.operator.origin, parts.length === 1 && !only!.region && !only!.reduce ? only!.device : parts];
    }),
  );
