/**
 * The reverse check: where the table says `whole`, a dimension is cut all the same. A dimension of the first output is cut
 * together with input dimensions of the same size; a letter no output has is cut and the parts are combined.
 */
import { type Region, type Span, wholeRegion } from '../../compiler/ir/region.ts';
import { type Dense, dense, numbers } from '../../compiler/operators/examples/dense.ts';
import type { Case } from '../../compiler/operators/examples/example.ts';
import { type Fed, forget, run, runWhole, type WholeRun } from '../../compiler/operators/examples/one-node.ts';
import { type Cut, isWhole, type Whole } from '../../compiler/operators/rule.ts';
import { combined, firstDifference, largestOf, part } from './arrays.ts';

/** One way to cut: a dimension of each input, or null: read whole. */
type Way = readonly (number | null)[];
type Outputs = readonly (Dense | null)[];

/** Something that the table leaves whole. */
interface Uncut {
  readonly name: string;
  readonly reason: string;
  readonly size: number;
  readonly ways: readonly Way[];
  /** Whether the parts, run on their own, make the whole. */
  readonly fits: (parts: readonly Outputs[], spans: readonly Span[], whole: Outputs) => boolean;
}

const MOST_WAYS = 256;

/** All choices of one dimension of this size, or none, an input. */
function waysOf(of: WholeRun, size: number): Way[] {
  let ways: Way[] = [[]];
  for (const input of of.made.inputs) {
    const shape = input?.array.shape ?? [];
    const dimensions = [...shape.keys()].filter((i) => shape[i] === size);
    ways = ways.flatMap((way) => [null, ...dimensions].map((dimension) => [...way, dimension]));
    if (ways.length > MOST_WAYS) return ways.slice(0, MOST_WAYS);
  }
  return ways;
}

const along = (shape: readonly number[], dimension: number | null, span: Span): Region =>
  wholeRegion(shape).map((all, i) => (i === dimension ? span : all));

function equals(is: Dense | null | undefined, should: Dense): boolean {
  if (!is || `${is.shape}` !== `${should.shape}`) return false;
  const wanted = numbers(should);
  return firstDifference(numbers(is), wanted, should.dtype, largestOf(wanted)) < 0;
}

/** Every output is the whole's part along a dimension of this size; the first along the one given. */
function fitsAlong(dimension: number, size: number): Uncut['fits'] {
  return (parts, spans, whole) =>
    whole.every((output, i) => {
      if (!output) return true;
      const dimensions = i === 0 ? [dimension] : [...output.shape.keys()].filter((at) => output.shape[at] === size);
      return dimensions.some((at) =>
        spans.every((span, j) => equals(parts[j]![i], part(output, along(output.shape, at, span)))),
      );
    });
}

/** The only output is the parts' sum, product, least or largest. */
const fitsCombined: Uncut['fits'] = (parts, _, whole) => {
  const [output, ...others] = whole;
  const made = parts.map((one) => one[0]);
  if (!output || others.some((other) => other !== null)) return false;
  if (made.some((one) => !one || `${one.shape}` !== `${output.shape}`)) return false;
  return Object.values(combined).some((together) => {
    const all = made.map((one) => numbers(one!)).reduce((a, b) => a.map((value, i) => together(value, b[i]!)));
    return equals(
      dense(output.dtype, output.shape, (i) => all[i]!),
      output,
    );
  });
};

/** Dimensions of the first output that are not cut. */
function dimensionsOf(of: WholeRun, cut: Cut | Whole): Uncut[] {
  const shape = of.outputs[0]?.shape ?? [];
  return [...shape.keys()].flatMap((dimension) => {
    const size = shape[dimension]!;
    const reason = isWhole(cut) ? cut.whole : cut.letters[cut.outputs[0]![dimension]!]!.reason;
    if (size < 2 || reason === undefined) return [];
    return { name: `dimension ${dimension}`, reason, size, ways: waysOf(of, size), fits: fitsAlong(dimension, size) };
  });
}

/** Letters that only inputs have and that are not cut. */
function lettersOf(cut: Cut | Whole): Uncut[] {
  if (isWhole(cut)) return [];
  const inputs = cut.notation.split('->')[0]!.split(',');
  const made = new Set(cut.outputs.flatMap((letters) => letters ?? []));
  return Object.entries(cut.letters).flatMap(([letter, { size, reason }]) => {
    if (reason === undefined || size < 2 || made.has(letter)) return [];
    const way = inputs.map((text) => (text.includes(letter) ? text.indexOf(letter) : null));
    return { name: `letter ${letter}`, reason, size, ways: [way], fits: fitsCombined };
  });
}

async function holds(runs: readonly WholeRun[], { size, fits }: Uncut, way: Way): Promise<boolean> {
  for (const of of runs) {
    for (const at of new Set([1, Math.floor(size / 2), size - 1])) {
      const spans: Span[] = [
        [0, at],
        [at, size],
      ];
      const parts: Outputs[] = [];
      for (const span of spans) {
        const inputs = of.made.inputs.map(
          (input, i): Fed => input && { ...input, array: part(input.array, along(input.array.shape, way[i]!, span)) },
        );
        parts.push(await run({ ...of.made, inputs }).catch(() => []));
      }
      if (!fits(parts, spans, of.outputs)) return false;
    }
  }
  return true;
}

/** What the table leaves whole although cutting this example would have been exact, with the reason it gives. */
export async function suspects(given: Case, table: (of: WholeRun) => Cut | Whole): Promise<string[]> {
  const runs = await Promise.all([1, 2, 3].map((seed) => runWhole({ ...given, seed })));
  const cut = table(runs[0]!);
  const found: string[] = [];
  for (const uncut of [...dimensionsOf(runs[0]!, cut), ...lettersOf(cut)]) {
    for (const way of uncut.ways) {
      if (!(await holds(runs, uncut, way))) continue;
      found.push(`${uncut.name} (inputs cut along ${way.map((at) => at ?? '-').join(',')}): ${uncut.reason}`);
      break;
    }
  }
  await forget();
  return found;
}
