/** Making caches forget: on a device, sessions run between the things that are measured here one by one. */

/** Bytes that all sessions of a device touch between two runs of one. */
export const ALL_SESSIONS = 128 * 2 ** 20;
/** Bytes that one session touches: a core's own caches hold nothing else afterwards. */
export const ONE_SESSION = 8 * 2 ** 20;

const LINE = 64;

/** Touches as many bytes that nobody else needs. */
export function touchOther(bytes: number): () => void {
  const other = new Float64Array(bytes / 8);
  return () => {
    for (let i = 0; i < other.length; i += LINE / 8) other[i]! += 1;
  };
}
