/** The tables of Kress et al. 2024: what each convolution costs on two accelerators, and what their tool says of every cut. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const PLATFORMS = ['eyeriss', 'simba'] as const;

export interface LoggedLayer {
  readonly name: string;
  /** Of each platform. */
  readonly seconds: readonly number[];
  readonly joules: readonly number[];
}

export interface LoggedCut {
  /** Path of the last layer on the first platform. */
  readonly layer: string;
  readonly seconds: number;
  readonly joules: number;
  /** Inferences a second. */
  readonly throughput: number;
  readonly linkBytes: number;
  readonly memory: readonly [number, number];
  readonly nonDominated: boolean;
}

const lines = (file: string) => readFileSync(file, 'utf8').trim().split('\n');

/** @throws Error where the platforms' tables do not list the same layers */
export function readLayers(folder: string, network: string): LoggedLayer[] {
  const [first, second] = PLATFORMS.map((platform) =>
    lines(join(folder, `${network}.${platform}.csv`))
      .slice(1)
      .map((line) => line.split(';')),
  );
  return first!.map(([, name, ms, mJ], i) => {
    const [, other, otherMs, otherMJ] = second![i] ?? [];
    if (name !== other) throw new Error(`${network}: layer ${i + 1} is ${name} and ${other}`);
    return {
      name: name!,
      seconds: [Number(ms) / 1000, Number(otherMs) / 1000],
      joules: [Number(mJ) / 1000, Number(otherMJ) / 1000],
    };
  });
}

/** None where the tool's results are not there. */
export function readCuts(folder: string, network: string): LoggedCut[] {
  const file = join(folder, `${network}.results.csv`);
  if (!existsSync(file)) return [];
  return lines(file).map((line) => {
    const [, , layer, , , ms, mJ, throughput, linkBytes, first, second, flag] = line.split(',');
    return {
      layer: layer!,
      seconds: Number(ms) / 1000,
      joules: Number(mJ) / 1000,
      throughput: Number(throughput),
      linkBytes: Number(linkBytes),
      memory: [Number(first), Number(second)],
      nonDominated: flag === 'nondom',
    };
  });
}
