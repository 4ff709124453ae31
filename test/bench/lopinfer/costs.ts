/** Logged milliseconds as costs, and the two devices that the log is of. */
import { type Cluster, parseCluster } from '../../../compiler/cluster/cluster.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import type { Costs } from '../../../compiler/planning/costs/costs.ts';
import { share } from '../../../compiler/planning/costs/roofline.ts';
import type { Flow } from './log.ts';
import { nameOf } from './program.ts';

export const ROBOT = 'robot';
export const SERVER = 'server';

/** What the run of another method measured, over what the log says. */
export interface Scale {
  readonly robot: number;
  readonly server: number;
}

/** A tile costs its share of the output's elements. Sessions' borders and copies cost nothing: the log has none. */
export function loggedCosts({ steps }: Flow, scale: Scale = { robot: 1, server: 1 }): Costs {
  const robot = new Map(steps.map((step) => [nameOf(step), (step.robotMs / 1000) * scale.robot]));
  const server = new Map(steps.map((step) => [nameOf(step), (step.serverMs / 1000) * scale.server]));
  const tables = new Map([
    [ROBOT, robot],
    [SERVER, server],
  ]);
  return {
    seconds(device: string, program: Program, operator): number {
      if (operator.kind === 'assemble') return 0;
      const whole = tables.get(device)?.get(operator.origin);
      if (whole === undefined) throw new Error(`no cost of ${operator.origin} on ${device}`);
      return whole * share(program, operator);
    },
    border: () => 0,
  };
}

/** @param bandwidth bytes per second, each direction; 0: no link */
export function clusterAt(bandwidth: number): Cluster {
  const links = bandwidth > 0 ? [{ between: [ROBOT, SERVER], bandwidth: `${bandwidth} B/s` }] : [];
  return parseCluster({ devices: { [ROBOT]: {}, [SERVER]: {} }, links, inputs: ROBOT, outputs: ROBOT });
}
