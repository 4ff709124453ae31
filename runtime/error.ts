/** The error every part of shardonnx throws for what a user can mend: a stable code, the place, and what to do. */
export class ShardonnxError extends Error {
  override readonly name = 'ShardonnxError';

  constructor(
    /** Stable, kebab-case. */
    readonly code: string,
    message: string,
    // Not `details`: uvu takes an error's `details` for text and forgets the failure.
    readonly context: {
      /** Outermost place first: file, node, channel, pass. */
      readonly at?: readonly string[];
      /** One sentence that says what to do. */
      readonly hint?: string;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: context.cause });
  }

  /** `code: message`, one line a place, then the hint. */
  format(): string {
    const places = (this.context.at ?? []).map((place) => `\n  at ${place}`).join('');
    return `${this.code}: ${this.message}${places}${this.context.hint ? `\n  ${this.context.hint}` : ''}`;
  }
}
