/** Runs tiles on this device, many in one session, and notes what each was measured to take. */
import type { Program } from '../ir/program.ts';
import { trafficOf, workOf } from '../planning/costs/signature.ts';
import type { MeasuredChain } from '../profile/profile.ts';
import { type Attributed, attribute, kernelsByVariant } from './attribute.ts';
import { hasPictures, tilesModel, type Variant } from './tile-model.ts';
import type { Tile } from './tiles.ts';
import { traceRuns } from './trace.ts';

export interface MeasureOptions {
  readonly threads: number;
  /** Receives models and traces for a while. */
  readonly folder: string;
  /** performance.now() after which no more tiles are begun. */
  readonly deadline: number;
  readonly progress: (done: number, total: number) => void;
}

/** Runs that are not counted: onnxruntime's arena grows, caches fill. */
const WARM_UP = 3;
const RUNS = 9;
/** Tiles that are measured in one session, and bytes that they may read and write. */
const TOGETHER = 48;
const BYTES_TOGETHER = 512e6;

export interface Measured {
  readonly chains: Readonly<Record<string, MeasuredChain>>;
  /** Tiles for which time was too short. */
  readonly left: number;
  /** Tiles that onnxruntime refused, with its message. */
  readonly refused: readonly { readonly key: string; readonly message: string }[];
}

function* batchesOf(program: Program<'imported'>, tiles: readonly Tile[]): Generator<Tile[]> {
  let batch: Tile[] = [];
  let bytes = 0;
  for (const tile of tiles) {
    const more = tile.operators.reduce((sum, operator) => sum + trafficOf(program, operator), 0);
    if (batch.length >= TOGETHER || (batch.length > 0 && bytes + more > BYTES_TOGETHER)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(tile);
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}

class Measuring {
  readonly chains: Record<string, MeasuredChain> = Object.create(null);
  readonly refused: { key: string; message: string }[] = [];
  private batches = 0;

  constructor(
    private readonly program: Program<'imported'>,
    private readonly options: MeasureOptions,
  ) {}

  /** A tile that onnxruntime refuses is found by halving. */
  async measure(tiles: readonly Tile[]): Promise<void> {
    const variants = tiles.flatMap((tile): Variant[] => {
      const plain = { tile, blocked: false };
      return hasPictures(this.program, tile) ? [plain, { tile, blocked: true }] : [plain];
    });
    const { threads, folder } = this.options;
    const name = `tiles${this.batches++}`;
    try {
      const model = await tilesModel(this.program, variants, folder, name);
      const kernels = kernelsByVariant(
        await traceRuns(model, WARM_UP + RUNS, { threads, folder, name }),
        variants.length,
      );
      for (const [i, variant] of variants.entries()) {
        const attributed = attribute(variant.tile.operators, kernels[i]!, WARM_UP);
        if (attributed) this.add(variant, attributed);
      }
    } catch (error) {
      if (tiles.length === 1) {
        this.refused.push({
          key: tiles[0]!.chain.key,
          message: error instanceof Error ? error.message : String(error),
        });
        return;
      }
      const middle = Math.ceil(tiles.length / 2);
      await this.measure(tiles.slice(0, middle));
      await this.measure(tiles.slice(middle));
    }
  }

  private add({ tile: { chain, sizes, operators }, blocked }: Variant, measured: Attributed): void {
    this.chains[chain.key] ??= { plain: [], blocked: [] };
    this.chains[chain.key]![blocked ? 'blocked' : 'plain'].push({
      sizes,
      work: workOf(chain.family, sizes),
      bytes: trafficOf(this.program, operators[0]!),
      ...measured,
    });
  }
}

export async function measureTiles(
  program: Program<'imported'>,
  tiles: readonly Tile[],
  options: MeasureOptions,
): Promise<Measured> {
  const measuring = new Measuring(program, options);
  let done = 0;
  for (const batch of batchesOf(program, tiles)) {
    if (performance.now() > options.deadline) break;
    await measuring.measure(batch);
    done += batch.length;
    options.progress(done, tiles.length);
  }
  const chains = Object.fromEntries(Object.entries(measuring.chains).filter(([, { plain }]) => plain.length > 0));
  return { chains, left: tiles.length - done, refused: measuring.refused };
}
