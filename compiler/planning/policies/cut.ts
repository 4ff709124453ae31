/** Cuts the model between layers: before the nodes that are named, or where the latency is least. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Compute, Program } from '../../ir/program.ts';
import { costGraphOf } from '../cost-graph.ts';
import { cutsOf } from '../cuts.ts';
import { bestCut } from '../placement/best-cut.ts';
import { loadSolver } from '../placement/linear-program.ts';
import type { Plan } from '../plan.ts';
import { planOfBest } from './place.ts';
import { type Policy, policyError } from './policy.ts';

/** The operator of this name, or the one that makes the tensor of this name. */
function find(operators: readonly Compute[], wanted: string): number {
  const byName = operators.findIndex(({ origin }) => origin === wanted);
  return byName >= 0
    ? byName
    : operators.findIndex(({ outputs }) => outputs.some((output) => output?.tensor === wanted));
}

/** Operators in topological order, split before each of the named ones. */
function stagesOf(program: Program<'imported'>, argument: string): Compute[][] {
  const { operators, onDemand } = cutsOf(program);
  const planned = [...operators.values()].filter(({ origin }) => !onDemand.has(origin));
  const positions = argument.split(',').map((name) => {
    const position = find(planned, name);
    if (position >= 0) return position;
    const reason = onDemand.get(name);
    if (reason) throw policyError(`cut:${argument}`, `"${name}" is no place to cut: ${reason}`, 'name another node');
    throw policyError(`cut:${argument}`, `no operator or tensor "${name}"`, '`shardonnx inspect` lists the cut points');
  });
  const borders = [0, ...positions.sort((a, b) => a - b), planned.length];
  return borders.slice(1).map((end, i) => planned.slice(borders[i], end));
}

function cutBefore(program: Program<'imported'>, { devices }: Cluster, argument: string): Plan['operators'] {
  const stages = stagesOf(program, argument);
  if (stages.length > devices.length) {
    const message = `${stages.length} stages for ${devices.length} devices`;
    throw policyError(`cut:${argument}`, message, 'name fewer nodes or add devices');
  }
  return Object.fromEntries(
    stages.flatMap((stage, i) => stage.map(({ origin }) => [origin, devices[i]!.name] as const)),
  );
}

export const cut: Policy = {
  name: 'cut',
  argument: 'NODE[,NODE…]',
  optional: true,
  summary:
    'before the node on the first device, the rest on the next; without a node the best layer cut (least latency or energy)',
  async plan(program, cluster, argument, { objective, deadline, bytesPerFloat }) {
    if (argument !== '') return cutBefore(program, cluster, argument);
    await loadSolver();
    const graph = costGraphOf(program, cluster, { bytesPerFloat });
    const options = { objective: objective === 'energy' ? objective : 'latency', deadline } as const;
    return planOfBest('cut', cluster, graph, bestCut(graph, options), options);
  },
};
