/** `shardonnx plan --pareto`: what cannot be had faster, thriftier or smaller without giving up something else. */
import type { Cluster } from '../cluster/cluster.ts';
import { formatBytes } from '../cluster/units.ts';
import { CompileError } from '../error.ts';
import type { Program } from '../ir/program.ts';
import { type CostGraph, costGraphOf } from '../planning/cost-graph.ts';
import type { Platforms } from '../planning/pareto/cut-space.ts';
import { type Objective, objectiveNames, type ParetoPoint, paretoFront } from '../planning/pareto/pareto.ts';
import { whyInfeasible } from '../planning/placement/infeasible.ts';
import { unknownPower } from '../policies.ts';
import { table } from './table.ts';

export interface ParetoFlags {
  /** true: of everything. */
  readonly pareto: string | true;
  readonly platforms: Platforms;
  readonly stages?: number;
}

/** @throws flag */
function objectivesOf(text: string | true): readonly Objective[] {
  if (text === true) return objectiveNames;
  return text.split(',').map((name) => {
    const known = objectiveNames.find((one) => one === name.trim());
    if (known) return known;
    throw new CompileError('flag', `--pareto ${text}: no objective "${name}"`, {
      hint: `objectives are ${objectiveNames.join(', ')}`,
    });
  });
}

/** Objectives that this cluster cannot tell. @throws objective */
function checkPower(cluster: Cluster, objectives: readonly Objective[], asked: boolean): readonly Objective[] {
  if (cluster.devices.every(({ power }) => power) || !objectives.includes('energy')) return objectives;
  if (asked) throw unknownPower(cluster);
  return objectives.filter((one) => one !== 'energy');
}

/** One column of the result. */
interface Column {
  readonly head: string;
  readonly key: string;
  readonly text: (point: ParetoPoint) => string;
  readonly value: (point: ParetoPoint) => string | number;
}

const figure = (head: string, key: string, unit: string, value: (point: ParetoPoint) => number): Column => ({
  head,
  key,
  text: (point) => `${Number(value(point).toPrecision(4))} ${unit}`,
  value,
});
const bytes = (head: string, key: string, value: (point: ParetoPoint) => number): Column => ({
  head,
  key,
  text: (point) => formatBytes(value(point)),
  value,
});

/** Of each stage the device and its first operator. */
const stagesOf = (cluster: Cluster, graph: CostGraph, { cuts: { positions, devices } }: ParetoPoint) =>
  devices.map((device, i) => ({
    device: cluster.devices[device]!.name,
    first: graph.operators[i === 0 ? 0 : positions[i - 1]!]!.name,
  }));

function columnsOf(cluster: Cluster, graph: CostGraph, withEnergy: boolean): Column[] {
  const stages = (point: ParetoPoint) => stagesOf(cluster, graph, point);
  return [
    figure('latency', 'latencyMs', 'ms', ({ cost }) => cost.seconds * 1e3),
    figure('throughput', 'throughput', '1/s', ({ cost }) => 1 / cost.interval),
    ...(withEnergy ? [figure('energy', 'energyJ', 'J', ({ cost }) => cost.joules)] : []),
    bytes('crosses links', 'linkBytes', ({ cost }) => cost.linkBytes),
    ...cluster.devices.map(({ name }, i) => bytes(name, `memory.${name}`, ({ cost }) => cost.memory[i]!)),
    {
      head: 'stages',
      key: 'stages',
      text: (point) =>
        stages(point)
          .map(({ device, first }, i) => (i === 0 ? device : `${device} from ${first}`))
          .join(', '),
      value: (point) =>
        stages(point)
          .map(({ device, first }) => `${device}:${first}`)
          .join(' '),
    },
  ];
}

function field(value: string | number): string {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The front as a table, as one object, and as CSV. @throws flag, objective, infeasible */
export function paretoOf(program: Program<'imported'>, cluster: Cluster, { pareto, platforms, stages }: ParetoFlags) {
  const objectives = checkPower(cluster, objectivesOf(pareto), pareto !== true);
  const graph = costGraphOf(program, cluster, { ownBits: true });
  const front = paretoFront(graph, { objectives, platforms, ...(stages === undefined ? {} : { stages }) });
  if (front.points.length === 0) {
    throw new CompileError('infeasible', 'no stages of whole operators fit in the memory and links of the devices', {
      at: [whyInfeasible(graph)],
      hint: 'give devices more memory or links; `shardonnx plan` says what each policy lacks',
    });
  }
  const columns = columnsOf(cluster, graph, objectives.includes('energy'));
  const points = front.points.toSorted((a, b) => a.cost.seconds - b.cost.seconds || a.cost.interval - b.cost.interval);
  const csv = [
    columns.map(({ key }) => key),
    ...points.map((point) => columns.map(({ value }) => field(value(point)))),
  ];
  const rows = points.map((point) => columns.map(({ text }) => text(point)));
  const tried = front.exact ? 'all were tried' : 'NSGA-II: some may be missing';
  return {
    data: {
      ok: true,
      objectives,
      platforms,
      exact: front.exact,
      cuts: front.size,
      points: points.map((point) => ({
        ...Object.fromEntries(columns.slice(0, -1).map(({ key, value }) => [key, value(point)])),
        stages: stagesOf(cluster, graph, point),
      })),
    },
    text: [
      table(
        columns.map(({ head }) => head),
        rows,
      ),
      `${points.length} of ${front.size} cuts that none beats in ${objectives.join(', ')}; ${tried}`,
    ].join('\n'),
    csv: `${csv.map((row) => row.join(',')).join('\n')}\n`,
  };
}
