/** How the C library treats memory that sessions give back. */

/** Bytes; the largest block that glibc learns from is 32 MiB. */
const BLOCK = 2 ** 25 - 2 ** 16;

/**
 * What is free at the end of glibc's heap goes back to the system at once, and large blocks never come from the heap: sessions
 * without an arena find fresh pages in each run, which the system has to clear. But glibc learns: once a block was given back,
 * blocks up to its size come from the heap, whose end stays until twice as much is free. V8 gives this one back when it
 * collects. Measured on the text detector in five sessions, had they no arenas: 8,400 fresh pages an inference → 10, 143 ms → 136.
 */
export const keepHeap = (): void => void new ArrayBuffer(BLOCK);
