/** Makes steps of each device's operators: segments as long as no transfer comes between, with what crosses their borders. */
import { type Cluster, linkBetween } from '../compiler/cluster/cluster.ts';
import { leadOf, occupiedSeconds, queueOf } from '../compiler/cluster/transfer.ts';
import type { Operator, Program, Send, Value } from '../compiler/ir/program.ts';
import { isUnpacking, reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import type { Costs } from '../compiler/planning/costs/costs.ts';
import { valueBytes } from '../compiler/planning/costs/roofline.ts';
import type { PlanObjective } from '../compiler/planning/plan.ts';
import { canAssemble, type Step } from '../compiler/planning/schedule.ts';
import { mergeSessions } from './ordering/merge-sessions.ts';
import { orderAlone } from './ordering/order-alone.ts';
import { orderTogether } from './ordering/order-together.ts';
import type { DeviceOperators, Group, Work } from './ordering/readiness.ts';

/** Assemble operators that the model's opset cannot say run in groups of their own. */
function assembledApart(program: Program<'linked'>, group: Group): Group[] {
  if ('kind' in group) return [group];
  const opset = program.opsets[''] ?? 1;
  const groups: Work[][] = [];
  let before: boolean | undefined;
  for (const operator of group) {
    const apart = operator.kind === 'assemble' && !canAssemble(opset, operator);
    if (apart === before) groups.at(-1)!.push(operator);
    else groups.push([operator]);
    before = apart;
  }
  return groups;
}

/**
 * A sequence, a map, a bfloat16 tensor cannot leave its session, and what is made of fewer bytes had better not: every group
 * that reads one makes it again.
 */
function withMakers(program: Program<'linked'>, groups: readonly Group[]): Group[] {
  const isOpaque = (value: Value) => tensorOf(program, value.tensor).dtype === null;
  const makers = new Map<string, Work>();
  const sent = groups.flatMap((group) => ('kind' in group ? reads(group).map(valueKey) : []));
  const outputs = program.outputs.map((name) => valueKey(wholeValue(tensorOf(program, name))));
  const given = new Set([...sent, ...outputs]);
  return groups.map((group) => {
    if ('kind' in group) return group;
    const members = new Set<Work>();
    const add = (operator: Work) => {
      for (const value of reads(operator)) {
        const maker = makers.get(valueKey(value));
        if (maker) add(maker);
      }
      members.add(operator);
    };
    for (const operator of group) {
      const unpacks = isUnpacking(program, operator);
      for (const value of writes(operator)) if (unpacks || isOpaque(value)) makers.set(valueKey(value), operator);
      if (!unpacks || writes(operator).some((value) => given.has(valueKey(value)))) add(operator);
    }
    return [...members];
  });
}

/** What a group needs from before it, and what it makes. */
function bordersOf(program: Program<'linked'>, group: Group) {
  const members: readonly Operator[] = 'kind' in group ? [group] : group;
  const made = new Map(members.flatMap(writes).map((value) => [valueKey(value), value]));
  const read = new Map<string, Value>();
  for (const value of members.flatMap(reads)) {
    const key = valueKey(value);
    if (!made.has(key) && tensorOf(program, value.tensor).role !== 'weight') read.set(key, value);
  }
  return { made, read };
}

/** Adds to each run of operators what crosses its borders; those that nobody needs are left out. */
function toSteps(program: Program<'linked'>, device: string, groups: readonly Group[]): Step[] {
  const wanted =
    device === program.placement!.outputs ? program.outputs.map((name) => wholeValue(tensorOf(program, name))) : [];
  const borders = groups.map((group) => bordersOf(program, group));
  /** Last group that needs a value. */
  const lastRead = new Map<string, number>();
  for (const [i, { read }] of borders.entries()) for (const key of read.keys()) lastRead.set(key, i);
  for (const value of wanted) lastRead.set(valueKey(value), groups.length);
  const passedOn = new Set<string>();
  let index = 0;
  const steps = groups.flatMap((group, i): Step[] => {
    if ('kind' in group) {
      const { channel, value } = group;
      return [
        group.kind === 'send'
          ? { kind: 'send', channel, value, to: group.to }
          : { kind: 'receive', channel, value, from: group.from },
      ];
    }
    const { made, read } = borders[i]!;
    const outputs = [...made].filter(([key]) => (lastRead.get(key) ?? -1) > i && !passedOn.has(key));
    for (const [key] of outputs) passedOn.add(key);
    if (outputs.length === 0) return [];
    const values = outputs.map(([, value]) => value);
    return [{ kind: 'segment', index: index++, operators: group, inputs: [...read.values()], outputs: values }];
  });
  const weights = wanted.filter(({ tensor }) => tensorOf(program, tensor).role === 'weight');
  if (weights.length > 0) steps.push({ kind: 'segment', index, operators: [], inputs: [], outputs: weights });
  return steps;
}

/** The operators of every device, in the cluster's order, and what they cost it. */
function operatorsOf(program: Program<'linked'>, cluster: Cluster, costs: Costs): Map<string, DeviceOperators> {
  const bytes = (values: readonly Value[]) => values.reduce((sum, value) => sum + valueBytes(program, value), 0);
  return new Map(
    cluster.devices.map(({ name }) => {
      const operators = program.operators.filter((operator) => operator.device === name);
      // Orders ask for them again and again.
      const seconds = new Map<Work, number>();
      for (const operator of operators) {
        if (operator.kind === 'compute' || operator.kind === 'assemble')
          seconds.set(operator, costs.seconds(name, program, operator));
      }
      const ofDevice = {
        seconds: (work: Work) => seconds.get(work)!,
        border: (values: readonly Value[]) => costs.border(name, bytes(values)),
        transfer: ({ to, value }: Send) => occupiedSeconds(linkBetween(cluster, name, to)!, bytes([value])),
      };
      return [name, { operators, costs: ofDevice, isUnpacking: (operator) => isUnpacking(program, operator) }];
    }),
  );
}

/**
 * Steps of every device, in the cluster's order, in the ways that are worth simulating. Sends never block, so any order that
 * respects dependences ends.
 */
export function scheduleSteps(
  program: Program<'linked'>,
  cluster: Cluster,
  costs: Costs,
  objective: PlanObjective = 'latency',
): ReadonlyMap<string, readonly Step[]>[] {
  const devices = operatorsOf(program, cluster, costs);
  const orders: ReadonlyMap<string, readonly Group[]>[] = [
    new Map([...devices].map(([name, device]) => [name, orderAlone(device)])),
  ];
  if (program.operators.some(({ kind }) => kind === 'receive')) {
    const linkOf = (from: string, to: string) => {
      const link = linkBetween(cluster, from, to)!;
      return { queue: queueOf(link, from), latency: link.latency, lead: leadOf(link) };
    };
    orders.push(orderTogether(devices, linkOf));
    if (objective === 'throughput') orders.push(...orders.map(mergeSessions));
  }
  return orders.map((order) => {
    const steps = [...order].map(([name, groups]): [string, readonly Step[]] => {
      const apart = groups.flatMap((group) => assembledApart(program, group));
      return [name, toSteps(program, name, withMakers(program, apart))];
    });
    return new Map(steps);
  });
}
