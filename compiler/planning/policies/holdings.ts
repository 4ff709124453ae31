/** Who holds which region of each tensor while a plan is made, and what a share of an operator lacks. */
import { bytesPerElement } from '../../../runtime/dtype.ts';
import { listAt } from '../../ir/lists.ts';
import type { Program, Tensor, Value } from '../../ir/program.ts';
import { isKnown, reads, tensorOf, wholeValue } from '../../ir/program.ts';
import { count, type Region, subtractAll } from '../../ir/region.ts';
import { sourcesOf } from '../cuts.ts';
import { type BytesPerFloat, bytesOnLink } from '../encodings.ts';
import { tileOf } from '../tile.ts';
import { madeBy, type Share, type Sharing } from './sharing.ts';

const known = new WeakMap<Share, readonly Value[]>();

/** What a share's device must have: weights, and what it computes on demand, are left out. Computed once a share. */
export function readsOf(
  program: Program<'imported'>,
  { operator, cut }: Pick<Sharing, 'operator' | 'cut'>,
  share: Share,
): readonly Value[] {
  const found = known.get(share) ?? sourcesOf(program, reads(tileOf(program, operator, cut, share)));
  known.set(share, found);
  return found;
}

export class Holdings {
  /** By tensor, then device. */
  private readonly regions = new Map<string, Map<string, Region[]>>();

  constructor(
    private readonly program: Program<'imported'>,
    inputDevice: string,
    private readonly bytesPerFloat: BytesPerFloat = 4,
  ) {
    for (const name of program.inputs) this.hold(inputDevice, wholeValue(tensorOf(program, name)));
  }

  private hold(device: string, { tensor, region }: Value): void {
    if (!region) return;
    const devices = this.regions.get(tensor) ?? new Map<string, Region[]>();
    this.regions.set(tensor, devices);
    listAt(devices, device).push(region);
  }

  /** Notes what an operator's shares make; addends are nobody's until they are combined. */
  add(sharing: Sharing): void {
    if (sharing.reduced) return;
    for (const share of sharing.shares) for (const value of madeBy(sharing, share)) this.hold(share.device, value);
  }

  /** Bytes on a link of a value that a device does not hold. */
  missing(device: string, { tensor: name, region }: Value): number {
    const tensor = tensorOf(this.program, name);
    if (!region || !tensor.dtype || !isKnown(tensor.shape)) return 0;
    const own = this.regions.get(name)?.get(device) ?? [];
    const lacking = subtractAll(region, own).reduce((sum, rest) => sum + count(rest), 0);
    return this.bytes(tensor, lacking);
  }

  /** On a link. */
  bytes(tensor: Tensor, elements: number): number {
    return tensor.dtype ? bytesOnLink(tensor, elements * bytesPerElement(tensor.dtype), this.bytesPerFloat) : 0;
  }

  /** Bytes that must move before the shares can run, and to combine their addends. */
  missingBytes(sharing: Sharing): number {
    const { operator, shares, reduced } = sharing;
    const inputs = shares.reduce(
      (sum, share) =>
        sum +
        readsOf(this.program, sharing, share).reduce((bytes, value) => bytes + this.missing(share.device, value), 0),
      0,
    );
    if (!reduced) return inputs;
    const addends = operator.outputs.reduce((sum, output) => {
      return sum + (output?.region ? this.bytes(tensorOf(this.program, output.tensor), count(output.region)) : 0);
    }, 0);
    return inputs + addends * (shares.length - 1);
  }
}
