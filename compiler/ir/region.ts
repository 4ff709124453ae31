/** Regions: one half-open span a dimension, in whole-tensor coordinates. */

/** `[begin, end)`. */
export type Span = readonly [begin: number, end: number];
/** One span a dimension; a scalar's region is `[]`. */
export type Region = readonly Span[];

// Planners ask these millions of times: they read spans by index, since taking one apart by a pattern makes an iterator of it.
export const length = (span: Span): number => Math.max(0, span[1] - span[0]);
export const lengths = (region: Region): number[] => region.map(length);
/** Elements in the region. */
export function count(region: Region): number {
  let product = 1;
  for (let i = 0; i < region.length; i++) product *= length(region[i]!);
  return product;
}
export function isEmpty(region: Region): boolean {
  for (let i = 0; i < region.length; i++) if (region[i]![1] <= region[i]![0]) return true;
  return false;
}
export const wholeRegion = (shape: readonly number[]): Region => shape.map((size): Span => [0, size]);

export function equalRegions(a: Region, b: Region): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i]![0] !== b[i]![0] || a[i]![1] !== b[i]![1]) return false;
  return true;
}

export function contains(outer: Region, inner: Region): boolean {
  if (isEmpty(inner)) return true;
  for (let i = 0; i < outer.length; i++) if (inner[i]![0] < outer[i]![0] || outer[i]![1] < inner[i]![1]) return false;
  return true;
}

/** What both have; spans may come out empty (`end <= begin`). */
export const intersect = (a: Region, b: Region): Region =>
  a.map((span, i): Span => [Math.max(span[0], b[i]![0]), Math.min(span[1], b[i]![1])]);

/** The smallest region that holds all of `regions`; empty ones do not count. */
export function hull(regions: readonly Region[]): Region {
  const filled = regions.filter((region) => !isEmpty(region));
  if (filled.length === 0) return regions[0]!;
  return filled.reduce((a, b) => a.map((span, i): Span => [Math.min(span[0], b[i]![0]), Math.max(span[1], b[i]![1])]));
}

/** Whether they have an element in common. */
function overlap(a: Region, b: Region): boolean {
  for (let i = 0; i < a.length; i++) {
    if (Math.max(a[i]![0], b[i]![0]) >= Math.min(a[i]![1], b[i]![1])) return false;
  }
  return true;
}

/** `a` without `b`, as disjoint regions: slabs before and after `b` along each dimension in turn. */
export function subtract(a: Region, b: Region): Region[] {
  if (!overlap(a, b)) return isEmpty(a) ? [] : [a];
  if (contains(b, a)) return [];
  const shared = intersect(a, b);
  const rest: Region[] = [];
  for (let i = 0; i < a.length; i++) {
    const [own, span] = [a[i]!, shared[i]!];
    // Dimensions before this one are as in what both have, those after it as in `a`.
    const slab = (begin: number, end: number) => [...shared.slice(0, i), [begin, end] as const, ...a.slice(i + 1)];
    if (own[0] < span[0]) rest.push(slab(own[0], span[0]));
    if (span[1] < own[1]) rest.push(slab(span[1], own[1]));
  }
  return rest;
}

/** `a` without every one of `others`, as disjoint regions. */
export const subtractAll = (a: Region, others: readonly Region[]): Region[] =>
  others.reduce((rest, other) => rest.flatMap((r) => subtract(r, other)), isEmpty(a) ? [] : [a]);

/** `region` with the origin moved to `origin`'s begin: where it lies inside a tile that holds `origin`. */
export const relativeTo = (region: Region, origin: Region): Region =>
  region.map(([begin, end], i): Span => [begin - origin[i]![0], end - origin[i]![0]]);

/** `[:,0:4]`; full dimensions are `:`. Without a shape every span is written out. */
export const formatRegion = (region: Region, shape?: readonly (number | null)[]): string =>
  `[${region.map(([begin, end], i) => (shape && begin === 0 && end === shape[i] ? ':' : `${begin}:${end}`)).join(',')}]`;

/** Reads what `formatRegion` writes; undefined if it is no region of a tensor of this shape. */
export function parseRegion(text: string, shape: readonly (number | null)[]): Region | undefined {
  const inner = /^\[(.*)\]$/.exec(text.trim())?.[1];
  if (inner === undefined) return undefined;
  const parts = inner.trim() === '' ? [] : inner.split(',');
  if (parts.length !== shape.length) return undefined;
  const spans = parts.map((part, i): Span | undefined => {
    const match = /^\s*(\d+)?:(\d+)?\s*$/.exec(part);
    const end = match?.[2] ?? shape[i];
    return match && end !== null && end !== undefined ? [Number(match[1] ?? 0), Number(end)] : undefined;
  });
  return spans.every((span) => span !== undefined) ? (spans as Region) : undefined;
}
