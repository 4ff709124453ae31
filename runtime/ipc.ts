/** What a parent process and the device it drives (`main.js --ipc`) tell each other. */
import { ShardonnxError } from './error.ts';
import type { NamedTensors } from './program.ts';
import type { DeviceStats } from './stats.ts';
import type { DeviceTrace } from './trace.ts';

export type ToDevice =
  | { readonly type: 'peers'; readonly endpoints: Readonly<Record<string, string>> }
  /** Inferences are numbered 0, 1, 2 … as devices number them. */
  | { readonly type: 'infer'; readonly inference: number; readonly inputs: NamedTensors }
  | { readonly type: 'stats' }
  | { readonly type: 'trace' }
  | { readonly type: 'stop' };

export type FromDevice =
  /** null: nobody calls this device. */
  | { readonly type: 'listening'; readonly endpoint: string | null }
  | { readonly type: 'ready' }
  /** A finished inference, from the holders of inputs and outputs. */
  | ({ readonly type: 'result'; readonly inference: number; readonly outputs: NamedTensors } & Times)
  | { readonly type: 'stats'; readonly stats: DeviceStats }
  | { readonly type: 'trace'; readonly trace: DeviceTrace | null }
  | { readonly type: 'error'; readonly error: PlainError };

/** In ms since the epoch. */
interface Times {
  readonly began: number;
  readonly ended: number;
}

export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly at: readonly string[];
  readonly hint?: string | undefined;
}

/** ms since the epoch, as fine as performance.now(). */
export const now = (): number => performance.timeOrigin + performance.now();

/** `code` is `internal` for what is our bug; its stack is kept as the place. */
export function plainError(error: unknown): PlainError {
  if (error instanceof ShardonnxError) {
    const { at = [], hint } = error.context;
    return { code: error.code, message: error.message, at, hint };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: 'internal', message, at: stack ? [stack] : [] };
}

export const errorOf = (device: string, { code, message, at, hint }: PlainError): ShardonnxError => {
  const place = `device ${device}`;
  const places = at.includes(place) ? at : [place, ...at];
  return new ShardonnxError(code, message, { at: places, ...(hint !== undefined && { hint }) });
};

/** onnxruntime's tensors keep their data behind getters, which do not travel. */
export const plainTensors = (tensors: NamedTensors): NamedTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, { type, dims, data }]) => [name, { type, dims, data }]));

const TO_DEVICE: readonly string[] = ['peers', 'infer', 'stats', 'trace', 'stop'] satisfies ToDevice['type'][];
const FROM_DEVICE: readonly string[] = [
  'listening',
  'ready',
  'result',
  'stats',
  'trace',
  'error',
] satisfies FromDevice['type'][];

export const isToDevice = (message: unknown): message is ToDevice => TO_DEVICE.includes(typeOf(message));

export const isFromDevice = (message: unknown): message is FromDevice => FROM_DEVICE.includes(typeOf(message));

const typeOf = (message: unknown): string =>
  typeof message === 'object' && message !== null && 'type' in message ? String(message.type) : '';
