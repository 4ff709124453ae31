/** What operators and session borders cost on one device, however that is known. */
import type { Assemble, Compute, Program } from '../../ir/program.ts';
import type { Segment, Step } from '../schedule.ts';
import { valueBytes } from './roofline.ts';

export type Work = Compute | Assemble;

/**
 * How a figure was come by: measured at just these sizes; between sizes that were; estimated from arithmetic and memory
 * traffic; from a table of layers; or nothing, since such a table does not name the operator.
 */
export type Source = 'measured' | 'interpolated' | 'estimated' | 'table' | 'free';
export const sources: readonly Source[] = ['measured', 'interpolated', 'table', 'estimated', 'free'];

export interface DeviceCosts {
  /** Seconds of a tile or an assemble operator inside a session. */
  seconds(program: Program, operator: Work): number;
  /** Seconds that a border between two sessions costs, if `bytes` cross it. */
  border(bytes: number): number;
  /** Seconds to join `bytes` of pieces, or to cut them out of more, inside a session. */
  assemble(bytes: number): number;
  /** Seconds of each of a device's steps: of sessions with all that comes with them, of messages beside the link's time. */
  steps(program: Program, steps: readonly Step[]): number[];
  /** Seconds that a message keeps the device's program beside the link's time, where no step of the program is known yet. */
  message(kind: 'send' | 'receive'): number;
  /** Joules of an operator, beside what the device draws while it waits; undefined where nobody measured them. */
  joules(program: Program, operator: Work): number | undefined;
  source(program: Program, operator: Work): Source;
}

/** Bytes that leave a session. */
export const handedBytes = (program: Program, { outputs }: Segment): number =>
  outputs.reduce((sum, value) => sum + valueBytes(program, value), 0);

/** A session as the sum of its operators and its border; messages cost nothing. */
export function sumsOfSteps(
  costs: Pick<DeviceCosts, 'seconds' | 'border'>,
  program: Program,
  steps: readonly Step[],
): number[] {
  return steps.map((step) => {
    if (step.kind !== 'segment') return 0;
    const work = step.operators.reduce((sum, operator) => sum + costs.seconds(program, operator), 0);
    return work + costs.border(handedBytes(program, step));
  });
}
