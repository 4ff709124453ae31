/** Logs as a tracer would write them, of models that the evidence has none of: torchvision's ResNet and VGG, without the zoo. */
import type { Log } from './log.ts';

type Entry = Log['operators'][number];

/** A tensor: its shape, and the operators that wrote its storage, oldest first. */
interface Traced {
  readonly shape: readonly number[];
  readonly writers: readonly number[];
}

class Tracer {
  readonly operators: Entry[] = [];

  /** Milliseconds: the operator's index, so that each differs. */
  private log(type: string, inputs: readonly Traced[], shapes: number[][]): number {
    const index = this.operators.length;
    const read = inputs.flatMap(({ writers }) => writers);
    this.operators.push({ index, type, inputs: read, shapes, robotMs: index, serverMs: index / 10 });
    return index;
  }

  make(type: string, inputs: readonly Traced[], shape: readonly number[]): Traced {
    return { shape, writers: [this.log(type, inputs, [[...shape]])] };
  }

  /** The first input is changed. */
  inPlace(type: string, inputs: readonly [Traced, ...Traced[]]): Traced {
    const [{ shape, writers }] = inputs;
    return { shape, writers: [...writers, this.log(type, inputs, [[...shape]])] };
  }

  conv(x: Traced, channels: number, kernel: number, stride = 1): Traced {
    const [n, , ...sizes] = x.shape;
    const pad = Math.floor(kernel / 2);
    const made = sizes.map((size) => Math.floor((size + 2 * pad - kernel) / stride) + 1);
    return this.make('conv2d', [x], [n!, channels, ...made]);
  }

  batchNorm(x: Traced): Traced {
    this.log('dim', [x], []);
    return this.make('batch_norm', [x], x.shape);
  }

  relu(x: Traced): Traced {
    return this.inPlace('relu', [x]);
  }

  maxPool(x: Traced): Traced {
    const [n, c, h, w] = x.shape;
    return this.make('max_pool2d', [x], [n!, c!, Math.ceil(h! / 2), Math.ceil(w! / 2)]);
  }

  head(x: Traced, size: number, widths: readonly number[]): Traced {
    const [n, c] = x.shape;
    let y = this.make('adaptive_avg_pool2d', [x], [n!, c!, size, size]);
    y = this.make('flatten', [y], [n!, c! * size * size]);
    for (const [i, width] of widths.entries()) {
      y = this.make('linear', [y], [n!, width]);
      if (i < widths.length - 1) y = this.inPlace('dropout', [this.relu(y)]);
    }
    return y;
  }
}

function traced(model: string, size: number, build: (t: Tracer, x: Traced) => Traced): Log {
  const tracer = new Tracer();
  const output = build(tracer, tracer.make('_start', [], [1, 3, size, size]));
  tracer.make('_end', [output], output.shape);
  return { model, operators: tracer.operators };
}

/** @param blocks of each stage @param size of the picture */
export const tracedResnet = (model: string, blocks: readonly number[], isBottleneck: boolean, size = 224): Log =>
  traced(model, size, (t, input) => {
    let x = t.maxPool(t.relu(t.batchNorm(t.conv(input, 64, 7, 2))));
    for (const [stage, count] of blocks.entries()) {
      const width = 64 << stage;
      for (let block = 0; block < count; block++) {
        const stride = stage > 0 && block === 0 ? 2 : 1;
        const channels = isBottleneck ? 4 * width : width;
        const layers: [number, number, number][] = isBottleneck
          ? [
              [width, 1, 1],
              [width, 3, stride],
              [channels, 1, 1],
            ]
          : [
              [width, 3, stride],
              [width, 3, 1],
            ];
        let branch = x;
        for (const [i, layer] of layers.entries()) {
          branch = t.batchNorm(t.conv(branch, ...layer));
          if (i < layers.length - 1) branch = t.relu(branch);
        }
        const isSame = stride === 1 && x.shape[1] === channels;
        x = t.relu(t.inPlace('add_', [branch, isSame ? x : t.batchNorm(t.conv(x, channels, 1, stride))]));
      }
    }
    return t.head(x, 1, [1000]);
  });

/** Without batch norm. @param stages channels of the convolutions before each pool */
export const tracedVgg = (model: string, stages: readonly (readonly number[])[]): Log =>
  traced(model, 224, (t, input) => {
    let x = input;
    for (const stage of stages) {
      for (const channels of stage) x = t.relu(t.conv(x, channels, 3));
      x = t.maxPool(x);
    }
    return t.head(x, 7, [4096, 4096, 1000]);
  });
