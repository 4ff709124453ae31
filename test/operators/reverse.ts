/**
 * The reverse check: `npx tsx test/operators/reverse.ts [OPERATOR]`. Where the table says `whole`, one output dimension and the
 * input dimensions of the same size are cut all the same; lists those where the parts are the whole's.
 */
import type { Region, Span } from '../../compiler/ir/region.ts';
import { wholeRegion } from '../../compiler/ir/region.ts';
import { type Dense, numbers } from '../../compiler/operators/examples/dense.ts';
import type { Case } from '../../compiler/operators/examples/example.ts';
import { examples } from '../../compiler/operators/examples/index.ts';
import { type Fed, forget, run, runWhole, type WholeRun } from '../../compiler/operators/examples/one-node.ts';
import { cutOf, isWhole } from '../../compiler/operators/index.ts';
import { firstDifference, largestOf, part } from './arrays.ts';

/** One way to cut: a dimension of each input, or null: read whole. */
type Way = readonly (number | null)[];

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

function equals(is: Dense | null, should: Dense): boolean {
  if (!is || `${is.shape}` !== `${should.shape}`) return false;
  const [a, b] = [numbers(is), numbers(should)];
  return firstDifference(a, b, should.dtype, largestOf(b)) < 0;
}

/** Whether every part, run on these parts of the inputs, makes its part of the first output. */
async function exact(of: WholeRun, way: Way, dimension: number, spans: readonly Span[]): Promise<boolean> {
  const whole = of.outputs[0]!;
  for (const span of spans) {
    const inputs = of.made.inputs.map(
      (input, i): Fed => input && { ...input, array: part(input.array, along(input.array.shape, way[i]!, span)) },
    );
    const outputs = await run({ ...of.made, inputs }).catch(() => [null]);
    if (!equals(outputs[0]!, part(whole, along(whole.shape, dimension, span)))) return false;
  }
  return true;
}

/** Dimensions of the first output that the table does not cut, and why. */
function uncut(of: WholeRun, domain: string): { dimension: number; reason: string }[] {
  const cut = cutOf(of.node, domain);
  const shape = of.outputs[0]?.shape ?? [];
  return [...shape.keys()].flatMap((dimension) => {
    if (shape[dimension]! < 2) return [];
    const letter = isWhole(cut) ? undefined : cut.letters[cut.outputs[0]![dimension]!];
    const reason = isWhole(cut) ? cut.whole : letter!.reason;
    return reason === undefined ? [] : [{ dimension, reason }];
  });
}

const SEEDS = [1, 2, 3];

/** Lines for the dimensions of this example where cutting would have been exact. */
async function suspects(given: Case): Promise<string[]> {
  const runs = await Promise.all(SEEDS.map((seed) => runWhole({ ...given, seed })));
  const found: string[] = [];
  for (const { dimension, reason } of uncut(runs[0]!, given.domain ?? '')) {
    const size = runs[0]!.outputs[0]!.shape[dimension]!;
    const middle = Math.floor(size / 2);
    const cuts: Span[][] = [1, middle, size - 1].map((at) => [
      [0, at],
      [at, size],
    ]);
    for (const way of waysOf(runs[0]!, size)) {
      let holds = true;
      for (const one of runs) for (const spans of cuts) holds &&= await exact(one, way, dimension, spans);
      if (!holds) continue;
      const inputs = way.map((at) => (at === null ? '-' : at)).join(',');
      found.push(
        `${given.domain ?? ''}${given.domain ? '::' : ''}${given.type} dimension ${dimension} (inputs ${inputs}): ${reason}`,
      );
      break;
    }
  }
  await forget();
  return found;
}

const wanted = process.argv[2];
let tried = 0;
for (const given of examples) {
  if (wanted && given.type !== wanted) continue;
  tried++;
  for (const line of await suspects(given)) console.log(line);
}
console.log(`${tried} examples`);
