/** What layouts are tried on: the models of the fixtures and random ones, written and imported; clusters of two and three. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../../../compiler/cluster/cluster.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { importModel } from '../../../compiler/onnx/import.ts';
import { type Costs, costsOf } from '../../../compiler/planning/costs/costs.ts';
import type { Orientation } from '../../../compiler/planning/layout/axis.ts';
import { type LayerGraph, layerGraphOf } from '../../../compiler/planning/layout/layers.ts';
import { type Layout, planOf } from '../../../compiler/planning/layout/layout.ts';
import type { Plan } from '../../../compiler/planning/plan.ts';
import { models, unusualModels } from '../../../fixtures/models.ts';
import { Builder, type Model } from '../../../fixtures/zoo/builder.ts';
import { encodeModel } from '../../../fixtures/zoo/write.ts';
import { clusterOf } from '../../support/imported.ts';
import { randomModel } from './random-model.ts';

export const orientations: readonly Orientation[] = ['rows', 'columns', 'channels'];

/** The same with links that take so many bytes at once. */
export const withBurst = (cluster: Cluster, burst: number): Cluster => ({
  ...cluster,
  links: cluster.links.map((link) => ({ ...link, burst })),
});

/** The outputs are wanted where the inputs are, and elsewhere; links have no burst, or one. */
export const clusters: readonly Cluster[] = [
  clusterOf({ a: 1, b: 3 }),
  withBurst(clusterOf({ a: 1, b: 2, c: 1.5 }, 'b'), 10_000),
];

export interface Subject {
  readonly name: string;
  readonly file: string;
  readonly program: Program<'imported'>;
}

const folder = mkdtempSync(join(tmpdir(), 'shardonnx-test-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** The file stays until the process ends. */
export async function subjectOf(name: string, bytes: Uint8Array): Promise<Subject> {
  const file = join(folder, `${name}.onnx`);
  writeFileSync(file, bytes);
  return { name, file, program: await importModel(file) };
}

/** A model that `build` makes. */
export function built(name: string, build: (g: Builder) => void): Promise<Subject> {
  const g = new Builder(name);
  build(g);
  return subjectOf(name, encodeModel(g.finish()));
}

export const fixtureSubjects = (): Promise<Subject[]> =>
  Promise.all(Object.entries({ ...models, ...unusualModels }).map(([name, build]) => subjectOf(name, build())));

/** Models of 3 to 12 layers. */
export const randomSubjects = (seeds: readonly number[]): Promise<Subject[]> =>
  Promise.all(
    seeds.map((seed): Promise<Subject> => {
      const model: Model = randomModel(seed, 3 + (seed % 10));
      return subjectOf(model.name, encodeModel(model));
    }),
  );

/** Whole numbers from `first`; SEEDS in the environment makes them more. */
export const seeds = (count: number, first = 1): number[] =>
  Array.from({ length: count * Number(process.env.SEEDS ?? 1) }, (_, i) => first + i);

export const graphOf = ({ program }: Subject, cluster: Cluster, orientation: Orientation = 'rows'): LayerGraph =>
  layerGraphOf(program, cluster, costsOf(program, cluster), { orientation });

/** As if the pictures were larger: otherwise starting sessions is all that matters. */
export function heavyGraphOf({ program }: Subject, cluster: Cluster, orientation: Orientation = 'rows'): LayerGraph {
  const costs = costsOf(program, cluster);
  const seconds: Costs['seconds'] = (...tile) => 100 * costs.seconds(...tile);
  return layerGraphOf(program, cluster, { seconds, border: costs.border }, { orientation });
}

/** Every cluster with every orientation. */
export const graphsOf = (subject: Subject, make = graphOf): LayerGraph[] =>
  clusters.flatMap((cluster) => orientations.map((orientation) => make(subject, cluster, orientation)));

export const asPlan = (graph: LayerGraph, layout: Layout): Plan => ({
  format: 1,
  model: graph.program.name,
  policy: 'a layout',
  operators: planOf(graph, layout),
});
