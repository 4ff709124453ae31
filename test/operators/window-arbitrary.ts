/** Random sliding windows for convolutions and poolings: sizes, kernels, strides, dilations, padding in every notation. */
import fc from 'fast-check';
import type { Attributes } from '../../compiler/ir/program.ts';
import { int, ints, text } from './brute-force.ts';

export interface Windows {
  readonly spatial: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begins, then ends. */
  readonly pads: readonly number[];
  readonly auto: 'NOTSET' | 'VALID' | 'SAME_UPPER' | 'SAME_LOWER';
}

type LargestPad = (kernel: number, reach: number) => number;

/** Three dimensions get few elements each: the proof, not the convolution, takes the time. */
const dimension = (rank: number, largestPad: LargestPad) =>
  fc
    .record({
      kernel: fc.integer({ min: 1, max: rank === 3 ? 3 : 4 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dilation: fc.integer({ min: 1, max: rank === 3 ? 2 : 3 }),
      more: fc.nat(rank === 3 ? 4 : 7),
    })
    .chain(({ kernel, stride, dilation, more }) => {
      const reach = (kernel - 1) * dilation + 1;
      const pad = fc.nat(largestPad(kernel, reach));
      return fc.record({
        kernel: fc.constant(kernel),
        stride: fc.constant(stride),
        dilation: fc.constant(dilation),
        begin: pad,
        end: pad,
        size: fc.constant(reach + more),
      });
    });

const dimensions = (largestPad: LargestPad) =>
  fc
    .integer({ min: 1, max: 3 })
    .chain((rank) => fc.array(dimension(rank, largestPad), { minLength: rank, maxLength: rank }));

/** @param largestPad how much padding the operator allows at each side */
export const windows = (largestPad: LargestPad): fc.Arbitrary<Windows> =>
  fc
    .tuple(
      dimensions(largestPad),
      fc.constantFrom<Windows['auto'][]>('NOTSET', 'NOTSET', 'NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'),
    )
    .map(([all, auto]) => ({
      spatial: all.map(({ size }) => size),
      kernel: all.map(({ kernel }) => kernel),
      // SAME with a stride beyond the kernel would take input away, which poolings refuse.
      strides: all.map(({ stride, kernel }) => (auto.startsWith('SAME') ? 1 + ((stride - 1) % kernel) : stride)),
      dilations: all.map(({ dilation }) => dilation),
      pads: [...all.map(({ begin }) => begin), ...all.map(({ end }) => end)],
      auto,
    }));

/** The attributes that say it; dilations with SAME padding are left out, operators do not agree on what they mean. */
export const windowAttributes = ({ kernel, strides, dilations, pads, auto }: Windows): Attributes => ({
  kernel_shape: ints(...kernel),
  strides: ints(...strides),
  ...(auto.startsWith('SAME') || dilations.every((d) => d === 1) ? {} : { dilations: ints(...dilations) }),
  ...(auto === 'NOTSET' ? { pads: ints(...pads) } : { auto_pad: text(auto) }),
});

export const flag = (name: string) => fc.boolean().map((on): Attributes => (on ? { [name]: int(1) } : {}));
