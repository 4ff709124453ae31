/** What the bench finds for one network, and whether that is what was published. */
import { graphOf, match } from './costs.ts';
import { type Fronts, frontsOf } from './fronts.ts';
import { type Gains, gainsOf } from './gains.ts';
import { networkOf, reordered } from './network.ts';
import type { Published } from './networks.ts';
import { PublishedRules } from './published-rules.ts';
import { agreementOf, type Comparison, compareRows } from './rows.ts';
import { readCuts, readLayers } from './tables.ts';

export interface Outcome {
  readonly published: Published;
  readonly convolutions: number;
  readonly gains: Gains;
  /** The last convolution before the published cut of highest throughput; unknown without a list of cuts. */
  readonly theirCut: string | undefined;
  /** Whether one of all cuts, in whatever order branches side by side are computed, has the published gain. */
  readonly reached: boolean;
  /** None where no list of cuts was published. */
  readonly comparison: Comparison | undefined;
  readonly fronts: Fronts;
}

const tenth = (percent: number) => Number(percent.toFixed(1));

/** @param folder of the tables */
export async function outcomeOf(folder: string, published: Published): Promise<Outcome> {
  const logged = readLayers(folder, published.name);
  const found = await networkOf(published.model());
  const order = logged.map((layer) => found.layers[match(found, logged).indexOf(layer)]!.name);
  const network = reordered(found, order);
  const graph = graphOf(network, logged);
  const gains = gainsOf(network, graph);
  const rules = new PublishedRules(network, logged);
  const better = Math.max(...gains.alone);
  const percents = rules.types.flatMap((type) =>
    [...rules.cutsAfter(type)].map(({ figures }) => tenth(100 * (figures.throughput / better - 1))),
  );
  const cuts = readCuts(folder, published.name);
  const comparison = cuts.length > 0 ? compareRows(rules, cuts) : undefined;
  const best = comparison?.rows.toSorted((a, b) => b.theirs.throughput - a.theirs.throughput)[0];
  return {
    published,
    convolutions: logged.length,
    gains,
    theirCut: best?.ours.after,
    reached: percents.includes(published.gain),
    comparison,
    fronts: frontsOf(graph),
  };
}

/** Everything that was to be shown is. */
export function holds({ published, gains, theirCut, reached, comparison, fronts }: Outcome): boolean {
  if (!fronts.equal) return false;
  if (!reached || tenth(gains.branches.percent) < published.gain) return false;
  if (!comparison) return true;
  const { rows, figures, flags } = agreementOf(comparison);
  return figures === rows && flags === rows && theirCut === gains.one.cuts[0];
}
