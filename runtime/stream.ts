/** Many calls, several of them under way at once. */

/** What `count` calls resolve with, in order; the next is made as soon as fewer than `inFlight` are under way. */
export async function* stream<T>(count: number, inFlight: number, call: () => Promise<T>): AsyncGenerator<T, void> {
  const running: Promise<T>[] = [];
  for (let made = 0; made < count || running.length > 0; ) {
    while (made < count && running.length < inFlight) {
      const one = call();
      // Another may fail before this one is waited for.
      one.catch(() => {});
      running.push(one);
      made++;
    }
    const first = running.shift();
    if (first) yield await first;
  }
}
