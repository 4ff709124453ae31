/** What benches of bundles with several inferences in flight share. */
import { type Bundle, randomTensor, stream } from '../../runtime/index.ts';

/** Inferences a second, of so many. */
export async function throughput(bundle: Bundle, count: number, inFlight: number): Promise<number> {
  const inputs = Object.fromEntries(bundle.inputs.map((spec) => [spec.name, randomTensor(spec, 1)]));
  const begin = performance.now();
  for await (const _ of stream(count, inFlight, () => bundle.infer(inputs)));
  return (1e3 * count) / (performance.now() - begin);
}

/**
 * Bytes that each process's resident memory grows by in an inference: the line of least squares through the second half of the
 * samples, one after every `step` inferences, as long as `more`.
 */
export async function growth(
  bundle: Bundle,
  step: number,
  inFlight: number,
  more: (samples: number) => boolean,
): Promise<string> {
  const points: Record<string, [number, number][]> = {};
  for (let samples = 0; more(samples); samples++) {
    await throughput(bundle, step, inFlight);
    const resident = Object.entries(await bundle.stats()).map(([device, one]) => [device, one.residentBytes] as const);
    for (const [device, bytes] of [...resident, ['parent', process.memoryUsage.rss()] as const]) {
      if (bytes !== null) points[device] = [...(points[device] ?? []), [(samples + 1) * step, bytes]];
    }
  }
  const lines = Object.entries(points).map(([device, all]) => {
    const last = all.at(-1)?.[1] ?? 0;
    return `${device} ${slope(all.slice(all.length / 2)).toFixed(1)} B an inference (${(last / 2 ** 20).toFixed(0)} MiB)`;
  });
  return lines.join(', ');
}

function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  return over / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}
