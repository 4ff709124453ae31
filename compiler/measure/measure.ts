/** Measures this device: every distinct chain of operators of some models at several sizes, and what sessions and messages cost. */
import { mkdtemp, rm } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnxruntime } from '../../runtime/modules.ts';
import { CompileError } from '../error.ts';
import type { Program } from '../ir/program.ts';
import type { MeasuredChain, Point, Profile } from '../profile/profile.ts';
import { quantile } from './attribute.ts';
import { type Measured, measureTiles } from './measure-tiles.ts';
import { measureOverheads } from './overheads.ts';
import { tilesOf } from './tiles.ts';

export interface DeviceOptions {
  /** onnxruntime's. */
  readonly threads: number;
  /** Cores that no other program takes; this machine's if not given. */
  readonly cores?: number;
  /** Seconds after which no more tiles are begun. */
  readonly budget: number;
  readonly progress: (what: string, done: number, total: number) => void;
}

export interface DeviceReport extends Pick<Measured, 'left' | 'refused'> {
  readonly profile: Profile;
  /** Of all points, the middle one. */
  readonly spread: number;
  /** It took so long. */
  readonly seconds: number;
}

/** Points of the same sizes once. */
function merged(a: readonly Point[], b: readonly Point[]): Point[] {
  const text = ({ sizes }: Point) => JSON.stringify(sizes);
  const known = new Set(a.map(text));
  return [...a, ...b.filter((point) => !known.has(text(point)))];
}

function mergeChains(all: readonly Measured[]): Record<string, MeasuredChain> {
  const chains = new Map<string, MeasuredChain>();
  for (const [key, { plain, blocked }] of all.flatMap((one) => Object.entries(one.chains))) {
    const known = chains.get(key);
    chains.set(key, { plain: merged(known?.plain ?? [], plain), blocked: merged(known?.blocked ?? [], blocked) });
  }
  return Object.fromEntries(chains);
}

/** @throws profile where nothing could be measured */
export async function measureDevice(
  programs: readonly Program<'imported'>[],
  { threads, cores = availableParallelism(), budget, progress }: DeviceOptions,
): Promise<DeviceReport> {
  const begin = performance.now();
  const deadline = begin + budget * 1e3;
  const folder = await mkdtemp(join(tmpdir(), 'shardonnx-profile-'));
  try {
    const tiles = programs.map(tilesOf);
    const total = tiles.reduce((sum, { length }) => sum + length, 0);
    let before = 0;
    const measured: Measured[] = [];
    for (const [i, program] of programs.entries()) {
      const share = (done: number) => progress(`measuring ${program.name}`, before + done, total);
      measured.push(await measureTiles(program, tiles[i]!, { threads, folder, deadline, progress: share }));
      before += tiles[i]!.length;
    }
    progress('measuring sessions and messages', total, total);
    const chains = mergeChains(measured);
    const refused = measured.flatMap((one) => one.refused);
    const points = Object.values(chains).flatMap(({ plain, blocked }) => [...plain, ...blocked]);
    if (points.length === 0) throw nothing(programs, refused[0]?.message);
    const profile: Profile = {
      format: 'shardonnx-profile',
      version: 2,
      machine: {
        cpu: cpus()[0]?.model ?? '',
        architecture: arch(),
        platform: platform(),
        onnxruntime: onnxruntime().env.versions.node ?? '',
        threads,
      },
      models: programs.map(({ name }) => name),
      ...(await measureOverheads({ threads, cores, folder })),
      chains,
    };
    return {
      profile,
      spread: quantile(
        points.map((point) => point.spread),
        0.5,
      ),
      left: measured.reduce((sum, { left }) => sum + left, 0),
      refused,
      seconds: (performance.now() - begin) / 1e3,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const nothing = (programs: readonly Program<'imported'>[], why: string | undefined) =>
  new CompileError('profile', `no operator of ${programs.map(({ name }) => name).join(', ')} could be measured`, {
    ...(why === undefined ? {} : { at: [why.split('\n')[0]!] }),
    hint: why === undefined ? 'give more time with --budget' : '`shardonnx inspect` lists its operators and shapes',
  });
