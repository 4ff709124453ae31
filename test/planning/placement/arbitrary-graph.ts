/** Small random graphs of costs, and all their placements. */
import fc from 'fast-check';
import type { CostedOperator, CostedTensor, CostGraph } from '../../../compiler/planning/cost-graph.ts';
import type { Placement } from '../../../compiler/planning/placement/evaluate.ts';

export interface GraphSizes {
  readonly devices: number;
  readonly operators: number;
  /** Bytes each device has; none: no limit. */
  readonly memory?: number;
  /** Every device sends as many bytes of a tensor. */
  readonly alike?: true;
  /** Messages keep senders and receivers from computing. */
  readonly messages?: true;
}

const amount = fc.integer({ min: 1, max: 40 });

/** Operator `i` reads some of the tensors made before it; now and then a link is missing where there are three devices. */
export function arbitraryGraph({ devices, operators, memory, alike, messages }: GraphSizes): fc.Arbitrary<CostGraph> {
  const each = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: devices, maxLength: devices });
  const operator = fc.record({ seconds: each(amount), joules: each(amount), weightBytes: each(amount) });
  // Tensor 0 is the input, tensor i + 1 what operator i makes.
  const reads = fc.tuple(
    ...Array.from({ length: operators }, (_, i) =>
      fc.uniqueArray(fc.integer({ min: 0, max: i }), { minLength: 1, maxLength: 3 }),
    ),
  );
  const sizes = fc.array(amount, { minLength: operators + 1, maxLength: operators + 1 });
  const limits = each(
    memory === undefined ? fc.constant(Number.POSITIVE_INFINITY) : fc.integer({ min: memory >> 1, max: memory }),
  );
  const speeds = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: devices ** 2, maxLength: devices ** 2 });
  const missing = devices > 2 ? fc.integer({ min: -3, max: devices - 1 }) : fc.constant(-1);
  return fc
    .record({
      operators: fc.array(operator, { minLength: operators, maxLength: operators }),
      reads,
      sizes,
      limits,
      speeds,
      missing,
      waiting: fc.nat(3),
      inputs: fc.nat(devices - 1),
      outputs: fc.nat(devices - 1),
      shared: fc.boolean(),
    })
    .map((drawn) => graphOf(drawn, devices, alike, messages));
}

interface Drawn {
  readonly operators: readonly Omit<CostedOperator, 'name'>[];
  readonly reads: readonly (readonly number[])[];
  readonly sizes: readonly number[];
  readonly limits: readonly number[];
  readonly speeds: readonly number[];
  /** No link joins this device and the next; none is missing where it is negative. */
  readonly missing: number;
  readonly waiting: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Both directions wait for each other. */
  readonly shared: boolean;
}

function graphOf(drawn: Drawn, devices: number, alike = false, messages = false): CostGraph {
  const [sending, receiving] = messages ? [3, 2] : [0, 0];
  const tensors = drawn.sizes.map((bytes, t): CostedTensor => {
    const readers = drawn.reads.flatMap((read, i) => (read.includes(t) ? [i] : []));
    const heldBytes = Array.from({ length: devices }, (_, d) => bytes * (1 + (d % 2)));
    return {
      name: `t${t}`,
      bytes: heldBytes.map((held, d) => (alike ? bytes : held + (d % 3))),
      heldBytes,
      maker: t === 0 ? null : t - 1,
      readers,
      wanted: t > 0 && readers.length === 0,
    };
  });
  const unlinked = (a: number, b: number) =>
    drawn.missing >= 0 && Math.min(a, b) === drawn.missing && Math.abs(a - b) === 1;
  return {
    devices: drawn.limits.map((memory, d) => ({ name: `d${d}`, memory })),
    waiting: drawn.waiting,
    operators: drawn.operators.map((operator, i) => ({ name: `o${i}`, ...operator })),
    tensors,
    inputs: drawn.inputs,
    outputs: drawn.outputs,
    transfer: (from, to, bytes) => {
      const occupied = unlinked(from, to) ? Number.POSITIVE_INFINITY : bytes / drawn.speeds[from * devices + to]!;
      return { seconds: occupied + 1 + sending + receiving, occupied, sending, receiving, joules: 2 * bytes };
    },
    queue: (from, to) => (drawn.shared ? [from, to].sort().join(' ') : `${from} ${to}`),
    joined: false,
  };
}

/** Every placement of `n` operators on the devices. */
export function* everyPlacement(n: number, devices: readonly number[]): Generator<Placement> {
  if (n === 0) return yield [];
  for (const rest of everyPlacement(n - 1, devices)) for (const device of devices) yield [...rest, device];
}

/** Whether no operator reads what an operator of a later stage makes. */
export const isForward = ({ tensors }: CostGraph, placement: Placement, order: readonly number[]): boolean =>
  tensors.every(
    ({ maker, readers }) =>
      maker === null ||
      readers.every((reader) => order.indexOf(placement[maker]!) <= order.indexOf(placement[reader]!)),
  );
