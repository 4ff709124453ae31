/**
 * Makes every value that is read exist as such: what a device lacks is cropped where it was computed, and joined (or summed)
 * where it is read. Nothing is fetched twice by one device.
 *
 *     a: %h[:,:,0:4,:] = Conv(…)
 *     b: %h[:,:,4:8,:] = Conv(…)
 *     a: %y[:,:,0:4,:] = Conv(%h[:,:,0:5,:], %w) ; conv2
 *
 *     b: %h[:,:,4:5,:] = assemble(%h[:,:,4:8,:]) ; conv2
 *     a: %h[:,:,0:5,:] = assemble(%h[:,:,0:4,:], %h[:,:,4:5,:]) ; conv2
 *     a: %y[:,:,0:4,:] = Conv(%h[:,:,0:5,:], %w) ; conv2
 */
import { listAt } from '../compiler/ir/lists.ts';
import type { Operator, Program, Value } from '../compiler/ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import {
  contains,
  count,
  equalRegions,
  intersect,
  isEmpty,
  type Region,
  subtract,
  subtractAll,
} from '../compiler/ir/region.ts';
import type { Pass } from '../compiler/pass.ts';

interface Piece {
  readonly device: string;
  readonly value: Value;
}

const at = (device: string, name: string) => `${device} ${name}`;

/** Bigger overlap with `region` first; of equal ones what is itself smaller, which needs no cutting. */
const byOverlap =
  (region: Region) =>
  (a: Value, b: Value): number =>
    count(intersect(b.region!, region)) - count(intersect(a.region!, region)) || count(a.region!) - count(b.region!);

/** A region that an operator reads. */
interface Need {
  readonly region: Region;
  readonly origin: string;
}

/** Needs that others hold come after all that are not, else the order of use: what is read first is sent first. */
function widestFirst(needs: readonly Need[]): Need[] {
  const isHeld = ({ region }: Need) =>
    needs.some((other) => contains(other.region, region) && !equalRegions(other.region, region));
  return [...needs.filter((need) => !isHeld(need)), ...needs.filter(isHeld)];
}

class Assembler {
  readonly operators: Operator[] = [];
  /** What operators of the split program and the model's inputs make, by tensor. */
  private readonly pieces = new Map<string, Piece[]>();
  /** What each device reads, by tensor, then by device. */
  private readonly needs = new Map<string, Map<string, Need[]>>();
  /** Complete values each device has or can read from another as such, by device and tensor. */
  private readonly held = new Map<string, Value[]>();
  private readonly made = new Set<string>();

  constructor(private readonly program: Program<'split'>) {
    const { inputs, outputs } = program.placement!;
    for (const name of program.inputs) this.addPiece(inputs, wholeValue(tensorOf(program, name)));
    for (const operator of program.operators) {
      for (const value of writes(operator)) this.addPiece(operator.device!, value);
      for (const value of reads(operator)) this.addNeed(operator.device!, value, operator.origin);
    }
    for (const name of program.outputs) this.addNeed(outputs, wholeValue(tensorOf(program, name)), name);
  }

  private addPiece(device: string, value: Value): void {
    listAt(this.pieces, value.tensor).push({ device, value });
    this.made.add(at(device, valueKey(value)));
  }

  private addNeed(device: string, { tensor, region }: Value, origin: string): void {
    if (!region) return;
    const devices = this.needs.get(tensor) ?? new Map<string, Need[]>();
    listAt(devices, device).push({ region, origin });
    this.needs.set(tensor, devices);
  }

  run(): Operator[] {
    const { operators, inputs, outputs, placement } = this.program;
    const lastWriter = new Map(
      operators.flatMap((operator) => writes(operator).map(({ tensor }) => [tensor, operator])),
    );
    for (const name of inputs) this.gather(name);
    for (const operator of operators) {
      for (const value of reads(operator)) this.provide(operator.device!, value, operator.origin);
      this.operators.push(operator);
      // What others lack is cut out as soon as it is there, so that it can leave early.
      for (const { tensor } of writes(operator)) if (lastWriter.get(tensor) === operator) this.gather(tensor);
    }
    for (const name of outputs) this.provide(placement!.outputs, wholeValue(tensorOf(this.program, name)), name);
    return this.operators;
  }

  /** Makes `value` readable on `device`: as such, or by an assemble operator there. */
  private provide(device: string, value: Value, origin: string): void {
    const { region } = value;
    const { role } = tensorOf(this.program, value.tensor);
    if (role === 'weight' || !region || this.made.has(at(device, valueKey(value)))) return;
    const held = this.held.get(at(device, value.tensor))!;
    if (held.some((other) => equalRegions(other.region!, region)) || isEmpty(region)) return;
    this.assemble(device, value, this.cover(held, region), origin);
    held.push(value);
  }

  private assemble(device: string, output: Value, inputs: readonly Value[], origin: string): void {
    const name = at(device, valueKey(output));
    if (this.made.has(name)) return;
    this.made.add(name);
    this.operators.push({ kind: 'assemble', device, inputs, output, origin });
  }

  /** The fewest of `held` that cover `region`, biggest overlap first. */
  private cover(held: readonly Value[], region: Region): Value[] {
    const chosen: Value[] = [];
    let rest = [region];
    for (const value of held.toSorted(byOverlap(region))) {
      const left = rest.flatMap((r) => subtract(r, value.region!));
      if (left.length !== rest.length || left.some((r, i) => !equalRegions(r, rest[i]!))) chosen.push(value);
      rest = left;
      if (rest.length === 0) return chosen;
    }
    throw new Error(`nothing covers a region of ${held[0]?.tensor}`);
  }

  /** Makes readable what each device reads of a tensor and does not compute itself. */
  private gather(tensor: string): void {
    const pieces = this.pieces.get(tensor) ?? [];
    for (const [device, needs] of this.needs.get(tensor) ?? []) {
      const own = pieces.filter((piece) => piece.device === device && !piece.value.partial);
      const held = own.map((piece) => piece.value);
      for (const { region, origin } of widestFirst(needs)) {
        const missing = subtractAll(
          region,
          held.map((value) => value.region!),
        );
        for (const box of missing) held.push(...this.fetch(device, pieces, box, origin));
      }
      this.held.set(at(device, tensor), held);
    }
  }

  /** Disjoint complete values that fill `box`, cropped where they were computed; sums made on `device`. */
  private fetch(device: string, pieces: readonly Piece[], box: Region, origin: string): Value[] {
    const fetched: Value[] = [];
    let rest = [box];
    const complete = pieces.filter((piece) => !piece.value.partial && piece.device !== device);
    for (const piece of complete.toSorted((a, b) => byOverlap(box)(a.value, b.value))) {
      for (const part of rest.map((r) => intersect(r, piece.value.region!))) {
        if (!isEmpty(part)) fetched.push(this.crop(piece, part, origin));
      }
      rest = rest.flatMap((r) => subtract(r, piece.value.region!));
    }
    for (const first of pieces.filter(({ value }) => value.partial?.index === 0)) {
      for (const part of rest.map((r) => intersect(r, first.value.region!))) {
        if (!isEmpty(part)) fetched.push(this.combine(device, pieces, first.value, part, origin));
      }
      rest = rest.flatMap((r) => subtract(r, first.value.region!));
    }
    if (rest.length > 0) throw new Error(`nobody computes a region of ${pieces[0]?.value.tensor}`);
    return fetched;
  }

  /** `region` of a piece, as a value on the piece's device. */
  private crop(piece: Piece, region: Region, origin: string): Value {
    if (equalRegions(piece.value.region!, region)) return piece.value;
    const value = { ...piece.value, region };
    this.assemble(piece.device, value, [piece.value], origin);
    return value;
  }

  /** `region` of a value that several devices hold addends of, combined on `device`. */
  private combine(device: string, pieces: readonly Piece[], first: Value, region: Region, origin: string): Value {
    const group = pieces.filter(({ value }) => value.partial && equalRegions(value.region!, first.region!));
    const addends = Array.from({ length: first.partial!.count }, (_, index) => {
      const same = group.filter(({ value }) => value.partial!.index === index);
      return this.crop(same.find((piece) => piece.device === device) ?? same[0]!, region, origin);
    });
    const { partial: _, ...complete } = first;
    const value: Value = { ...complete, region };
    this.assemble(device, value, addends, origin);
    return value;
  }
}

export const assembleValues: Pass<'split', 'assembled'> = {
  name: 'assemble-values',
  from: 'split',
  to: 'assembled',
  run: (program) => ({ ...program, stage: 'assembled', operators: new Assembler(program).run() }),
};
