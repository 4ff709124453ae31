/** Half-precision numbers: JavaScript holds them as bits. */

export function fromHalf(bits: number): number {
  const [exponent, fraction] = [(bits >>> 10) & 31, bits & 0x3ff];
  const magnitude =
    exponent === 31
      ? fraction
        ? Number.NaN
        : Number.POSITIVE_INFINITY
      : exponent
        ? (1 + fraction / 1024) * 2 ** (exponent - 15)
        : fraction * 2 ** -24;
  return bits & 0x8000 ? -magnitude : magnitude;
}
