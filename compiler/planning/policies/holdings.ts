/** Who holds which region of each tensor while a plan is made, and what a share of an operator lacks. */
import { bytesPerElement } from '../../../runtime/dtype.ts';
import type { Program, Tensor, Value } from '../../ir/program.ts';
import { isKnown, reads, tensorOf, wholeValue } from '../../ir/program.ts';
import { count, type Region, subtractAll } from '../../ir/region.ts';
import { sourcesOf } from '../cuts.ts';
import { type BytesPerFloat, bytesOnLink } from '../encodings.ts';
import { tileOf } from '../tile.ts';
import { madeBy, type Share, type Sharing } from './sharing.ts';

/** What a share's device must have: weights, and what it computes on demand, are left out. */
export const readsOf = (
  program: Program<'imported'>,
  { operator, cut }: Pick<Sharing, 'operator' | 'cut'>,
  share: Share,
) => sourcesOf(program, reads(tileOf(program, operator, cut, share)));

export class Holdings {
  private readonly regions = new Map<string, { device: string; region: Region }[]>();

  constructor(
    private readonly program: Program<'imported'>,
    inputDevice: string,
    private readonly bytesPerFloat: BytesPerFloat = 4,
  ) {
    for (const name of program.inputs) this.hold(inputDevice, wholeValue(tensorOf(program, name)));
  }

  private hold(device: string, { tensor, region }: Value): void {
    if (!region) return;
    const held = this.regions.get(tensor) ?? [];
    held.push({ device, region });
    this.regions.set(tensor, held);
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
    const held = this.regions.get(name) ?? [];
    const own = held.filter((holder) => holder.device === device).map((holder) => holder.region);
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
