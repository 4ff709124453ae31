/** What we and the process that runs onnxruntime tell each other. */
import type { PlainError } from '../../../runtime/ipc.ts';

export interface Request {
  readonly model: Uint8Array;
  /** Receives the model as onnxruntime leaves it. */
  readonly file: string;
}

export type Answer =
  /** onnxruntime is loaded. */
  | { readonly type: 'ready' }
  | { readonly type: 'written' }
  /** In onnxruntime's own words. */
  | { readonly type: 'refused'; readonly message: string }
  /** onnxruntime cannot be loaded. */
  | { readonly type: 'unusable'; readonly error: PlainError };

const types: readonly string[] = ['ready', 'written', 'refused', 'unusable'] satisfies Answer['type'][];

export const isAnswer = (message: unknown): message is Answer =>
  typeof message === 'object' && message !== null && 'type' in message && types.includes(String(message.type));
