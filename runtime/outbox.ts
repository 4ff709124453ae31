/**
 * Frames to one peer. Those of one turn of the event loop travel as one message where they are small: each message wakes a thread
 * at both ends and is taken in by a call of its own, which costs more than what is in it.
 */

/**
 * Bytes of the payloads of one message, a few packets: it comes as a whole, and no tensor should wait for another. The scores of a
 * thousand classes fit in, and take along that the inference is done.
 */
const TOGETHER = 4096;

export class Outbox {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param send takes one message, of header and payload of each frame */
  constructor(private readonly send: (parts: Buffer[]) => void) {}

  add(header: Buffer, payload: Buffer): void {
    if (this.#bytes + payload.length > TOGETHER) this.flush();
    // After what follows from promises that are kept now, and before onnxruntime holds the event loop.
    if (this.#parts.length === 0) process.nextTick(() => this.flush());
    this.#parts.push(header, payload);
    this.#bytes += payload.length;
    if (this.#bytes > TOGETHER) this.flush();
  }

  /** Before the connection is closed. */
  flush(): void {
    if (this.#parts.length === 0) return;
    const parts = this.#parts;
    this.#parts = [];
    this.#bytes = 0;
    this.send(parts);
  }
}
