/** Proof of split rules by brute force: an operator run whole on onnxruntime against the same operator run tile by tile. */
import type { Literal } from '../../compiler/ir/program.ts';
import {
  count,
  equalRegions,
  isEmpty,
  lengths,
  type Region,
  type Span,
  wholeRegion,
} from '../../compiler/ir/region.ts';
import { type Dense, dense, elements, generator, numbers } from '../../compiler/operators/examples/dense.ts';
import type { Case } from '../../compiler/operators/examples/example.ts';
import {
  type Fed,
  forget,
  type OneNode,
  run,
  runWhole,
  type WholeRun,
} from '../../compiler/operators/examples/one-node.ts';
import {
  type Cut,
  cutOf,
  isWhole,
  leavesOut,
  outputRegion,
  type Spans,
  type Tile,
} from '../../compiler/operators/index.ts';
import { combined, firstDifference, largestOf, part } from './arrays.ts';

export * from '../../compiler/operators/examples/example.ts';

/** What was proven; a proof of nothing shows here. */
export interface Proof {
  readonly cut: Cut;
  /** The letters that were really cut, sorted. */
  readonly letters: string;
  readonly tiles: number;
}

/** Cut points for a letter, as spans: every one legal. */
type Partition = readonly Span[];

function partitionAt(size: number, points: readonly number[]): Partition {
  const bounds = [0, ...new Set(points.filter((p) => p > 0 && p < size).sort((a, b) => a - b)), size];
  return bounds.slice(1).map((end, i): Span => [bounds[i]!, end]);
}

/** Ways to cut a letter: an element at each border, single elements all along (if few), two random ones. */
function partitions(size: number, step: number, random: () => number): Partition[] {
  const units = Math.floor(size / step);
  if (units < 2) return [];
  const at = () => step * Math.floor(random() * (units + 1));
  const every = units <= 7 ? [Array.from({ length: units }, (_, i) => i * step)] : [];
  return [[step], [step * Math.floor((size - 1) / step)], [at(), at()], ...every].map((points) =>
    partitionAt(size, points),
  );
}

/** All combinations of one span a letter. */
function tilings(partition: Readonly<Record<string, Partition>>): Spans[] {
  return Object.entries(partition).reduce<Spans[]>(
    (all, [letter, spans]) => all.flatMap((rest) => spans.map((span) => ({ ...rest, [letter]: span }))),
    [{}],
  );
}

const MOST_TILES = 48;

/** Each letter alone in every way, then all of them at once in random ways. */
function plansOf(cut: Cut, random: () => number): Record<string, Partition>[] {
  const uncut = Object.fromEntries(Object.entries(cut.letters).map(([l, { size }]) => [l, partitionAt(size, [])]));
  const ways = Object.fromEntries(
    Object.entries(cut.letters)
      .filter(([, { kind }]) => kind !== 'whole')
      .map(([letter, { size, step }]) => [letter, partitions(size, step ?? 1, random)]),
  );
  const alone = Object.entries(ways).flatMap(([letter, all]) => all.map((one) => ({ ...uncut, [letter]: one })));
  const together = Array.from({ length: 3 }, () => {
    let tiles = 1;
    const plan: Record<string, Partition> = { ...uncut };
    for (const [letter, all] of Object.entries(ways).sort(() => random() - 0.5)) {
      const one = all[Math.floor(random() * all.length)];
      if (!one || tiles * one.length > MOST_TILES) continue;
      plan[letter] = one;
      tiles *= one.length;
    }
    return plan;
  });
  return [...alone, ...together];
}

const literal = ({ dtype, shape, data }: Literal): Dense => dense(dtype, shape, (i) => data[i]!);

const isLiteral = (input: Region | Literal): input is Literal => 'kind' in input;

/** The operator on a tile: parts of the inputs, literals as constants. */
function tileNode({ made }: WholeRun, tile: Tile): OneNode {
  if (tile.inputs.length > made.inputs.length && made.inputs.length > 0) {
    const extra = tile.inputs.slice(made.inputs.length);
    if (extra.some((input) => input !== null && !isLiteral(input))) throw new Error('reads an input that is not there');
  }
  const inputs = tile.inputs.map((input, i): Fed => {
    if (input === null) return null;
    if (isLiteral(input)) return { array: literal(input), constant: true };
    const { array, constant } = made.inputs[i]!;
    const outside = input.some(
      ([begin, end], j) => begin < 0 || end > array.shape[j]! || !Number.isInteger(begin + end),
    );
    if (outside || isEmpty(input) || input.length !== array.shape.length) {
      throw new Error(`input ${i} of shape [${array.shape}] is read at ${JSON.stringify(input)}`);
    }
    return { array: part(array, input), constant };
  });
  const present = leavesOut(made.type) ? inputs.filter((input) => input !== null) : inputs;
  return { ...made, inputs: present, attributes: { ...made.attributes, ...tile.attributes } };
}

/** The outputs of a tile: cropped and scaled, and of the shape that the letters say. */
async function runTile(of: WholeRun, cut: Cut, spans: Spans): Promise<{ region: Region; values: number[] }[]> {
  const tile = cut.tile(spans);
  const outputs = await run(tileNode(of, tile));
  return outputs.flatMap((output, i) => {
    if (!output) return [];
    const region = outputRegion(cut, i, spans);
    const cropped = i === 0 && tile.crop ? part(output, tile.crop) : output;
    if (!equalRegions(wholeRegion(cropped.shape), wholeRegion(lengths(region)))) {
      throw new Error(`output ${i} has shape [${cropped.shape}] for ${JSON.stringify(region)}`);
    }
    const scale = i === 0 ? (tile.scale ?? 1) : 1;
    return [{ region, values: numbers(cropped).map((value) => value * scale) }];
  });
}

/** Runs one tiling and compares it, partials combined, with the whole. */
async function proveTiling(of: WholeRun, cut: Cut, tiling: readonly Spans[]): Promise<void> {
  const parts = new Map<string, { output: number; region: Region; values: number[] }>();
  const largest = of.outputs.map((output) => (output ? largestOf(numbers(output)) : 0));
  for (const spans of tiling) {
    const used = of.outputs.flatMap((output, i) => (output ? [i] : []));
    for (const [i, { region, values }] of (await runTile(of, cut, spans)).entries()) {
      const key = `${used[i]} ${JSON.stringify(region)}`;
      const before = parts.get(key);
      largest[used[i]!] = Math.max(largest[used[i]!]!, largestOf(values));
      if (before && !cut.combine) throw new Error(`${key} is computed twice and nothing combines it`);
      const together = before ? combined[cut.combine!] : undefined;
      parts.set(key, {
        output: used[i]!,
        region,
        values: together ? values.map((value, j) => together(before!.values[j]!, value)) : values,
      });
    }
  }
  for (const [i, output] of of.outputs.entries()) {
    if (!output) continue;
    const covered = [...parts.values()].filter((p) => p.output === i).reduce((sum, p) => sum + count(p.region), 0);
    if (covered !== elements(output.shape)) throw new Error(`output ${i}: ${covered} elements computed`);
  }
  for (const { output, region, values } of parts.values()) {
    const whole = of.outputs[output]!;
    const should = numbers(part(whole, region));
    const at = firstDifference(values, should, whole.dtype, largest[output]!);
    if (at >= 0) throw new Error(`output ${output} ${JSON.stringify(region)}[${at}]: ${values[at]}, not ${should[at]}`);
  }
}

/** Compares the operator cut in many ways with the operator run whole. @throws if any tile differs */
export async function prove(given: Case): Promise<Proof> {
  const of = await runWhole(given);
  const cut = cutOf(of.node, of.made.domain);
  if (isWhole(cut)) throw new Error(`${given.type} runs whole: ${cut.whole}`);
  check(cut, of);
  const random = generator((given.seed ?? 1) * 7919);
  const letters = new Set<string>();
  let tiles = 0;
  for (const plan of plansOf(cut, random)) {
    const tiling = tilings(plan);
    try {
      await proveTiling(of, cut, tiling);
    } catch (error) {
      const context = JSON.stringify({ given, notation: cut.notation, plan, tile: cut.tile(tiling.at(-1)!) });
      throw new Error(`${error instanceof Error ? error.message : error}\n${context}`, { cause: error });
    }
    tiles += tiling.length;
    for (const [letter, spans] of Object.entries(plan)) if (spans.length > 1) letters.add(letter);
  }
  await forget();
  return { cut, letters: [...letters].sort().join(''), tiles };
}

/** Why the operator runs whole. @throws if it does not */
export async function wholeReason(given: Case): Promise<string> {
  const of = await runWhole(given);
  await forget();
  const cut = cutOf(of.node, of.made.domain);
  if (!isWhole(cut)) throw new Error(`${given.type} can be cut: ${cut.notation}`);
  return cut.whole;
}

/** What must hold for every cut, whatever it computes. */
function check(cut: Cut, of: WholeRun): void {
  for (const [letter, { kind, size, reason }] of Object.entries(cut.letters)) {
    if ((kind === 'whole') !== (reason !== undefined))
      throw new Error(`letter ${letter} is ${kind}, reason: ${reason}`);
    if (kind === 'reduce' && !cut.combine) throw new Error(`letter ${letter} is reduced but nothing combines it`);
    if (!(size > 0)) throw new Error(`letter ${letter} has size ${size}`);
  }
  const all = Object.fromEntries(Object.entries(cut.letters).map(([l, { size }]): [string, Span] => [l, [0, size]]));
  for (const [i, output] of of.outputs.entries()) {
    const sizes = cut.outputs[i] ? lengths(outputRegion(cut, i, all)) : null;
    if (`${sizes}` !== `${output?.shape ?? null}`) throw new Error(`output ${i} has letters for [${sizes}]`);
  }
}
