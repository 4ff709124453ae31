/** What each device does, step by step, with predicted times and what every transfer overlaps. */
import type { Assemble, Compute, Program, Value } from '../ir/program.ts';
import type { Workload } from './simulation/workload.ts';

/** From this opset on ONNX's Slice, Concat, Add, Mul, Max and Min take every dtype that assemble operators have. */
export const assemblingOpset = 13;

/** Whether onnxruntime has, in a model of this opset, what an assemble operator means. */
export function canAssemble(opset: number, { inputs, output }: Assemble): boolean {
  const combine = output.partial ? undefined : inputs[0]?.partial?.combine;
  if (combine === undefined) return opset >= 4;
  return opset >= (combine === 'sum' || combine === 'prod' ? 7 : 12);
}

/**
 * A run of operators between two synchronisation points, executed as one onnxruntime session. One of assemble operators alone
 * has at least {@link assemblingOpset}, whatever the model's opset.
 */
export interface Segment {
  readonly kind: 'segment';
  /** 0-based, per device. */
  readonly index: number;
  readonly operators: readonly (Compute | Assemble)[];
  /** Made before, elsewhere or by the caller; weights are not listed. */
  readonly inputs: readonly Value[];
  /** Read later, or outputs of the model. */
  readonly outputs: readonly Value[];
}
export interface SendStep {
  readonly kind: 'send';
  readonly channel: number;
  readonly to: string;
  readonly value: Value;
}
export interface ReceiveStep {
  readonly kind: 'receive';
  readonly channel: number;
  readonly from: string;
  readonly value: Value;
}
export type Step = Segment | SendStep | ReceiveStep;

/** Seconds from the start of the inference. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

export interface Channel {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly value: Value;
  readonly origin: string;
  readonly bytes: number;
  /** From handed over to arrived. */
  readonly transfer: Interval;
  /** Share of the transfer during which the receiver had other work, 0 to 1. */
  readonly hidden: number;
  /** Segments of the receiver that run during the transfer. */
  readonly hiddenBy: readonly number[];
}

export interface DeviceSchedule {
  readonly device: string;
  readonly steps: readonly Step[];
  /** One an element of `steps`. */
  readonly times: readonly Interval[];
  /** Bytes of the weight slices it holds. */
  readonly weightBytes: number;
  /** Predicted bytes of weights and live values at the worst moment. */
  readonly peakBytes: number;
}

export interface Schedule {
  readonly program: Program<'linked'>;
  readonly devices: readonly DeviceSchedule[];
  readonly channels: readonly Channel[];
  /** Predicted seconds of one inference. */
  readonly makespan: number;
  /** What was simulated; its devices and channels are in the same order. */
  readonly workload: Workload;
}
