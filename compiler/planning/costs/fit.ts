/** A roofline fitted to a profile's own measurements: for operators that it does not know. */
import { quantile } from '../../../runtime/index.ts';
import type { Point, Profile } from '../../profile/profile.ts';

export interface Fit {
  /** Seconds that the smallest kernel takes. */
  readonly dispatch: number;
  /** Seconds of an operator of this type with so many multiply-adds that reads and writes so many bytes. */
  seconds(type: string, work: number, bytes: number): number;
}

const typeOf = (key: string): string => key.split(' ')[0]!;
const total = ({ seconds }: Point): number => seconds.reduce((sum, one) => sum + one, 0);

/** Of the ratios measured ÷ roofline: the geometric middle. */
const middle = (ratios: readonly number[]): number | null => quantile(ratios, 0.5);

/**
 * max(arithmetic, traffic) + dispatch, with the rates of the best measurements; each type of operator then gets the factor by
 * which its own measurements lie above that.
 */
export function fitRoofline(profile: Profile): Fit {
  const points = Object.entries(profile.chains).flatMap(([key, { plain, blocked }]) =>
    [...plain, ...blocked].filter((point) => total(point) > 0).map((point) => ({ type: typeOf(key), point })),
  );
  const dispatch =
    quantile(
      points.map(({ point }) => total(point)),
      0.01,
    ) ?? 0;
  const rates = points.map(({ point }) => point.work / total(point));
  const fastest = quantile(rates, 0.95) ?? 0;
  const roof = (work: number, bytes: number) =>
    dispatch + Math.max(fastest > 0 ? work / fastest : 0, bytes / profile.memory.copy);
  const ratios = new Map<string, number[]>();
  for (const { type, point } of points) {
    const own = ratios.get(type) ?? [];
    own.push(total(point) / roof(point.work, point.bytes));
    ratios.set(type, own);
  }
  const factors = new Map([...ratios].map(([type, own]) => [type, middle(own)!]));
  const other = middle([...factors.values()]) ?? 1;
  return { dispatch, seconds: (type, work, bytes) => (factors.get(type) ?? other) * roof(work, bytes) };
}
