/**
 * What travels between two devices. A frame is two message parts: a header of fixed layout (little-endian) and a payload. A message
 * is one frame or several.
 *
 *     0  'S' 'X'      4  inference, 48 bit     10 dtype (ONNX number)   12 channel, 32 bit
 *     2  protocol     16 dims, 32 bit each     11 rank
 *     3  kind
 *    16 + 4 · rank: when it was sent, float64
 *
 * `hello` and `reject` keep this layout in every protocol version, so that a mismatch can be told.
 */
import { bytesPerElement, dtypeOfOnnxNumber, onnxNumber } from './dtype.ts';
import type { Tensor } from './program.ts';
import { bytesOf, elements, tensorOver } from './tensor.ts';

export const PROTOCOL = 4;

export interface TensorFrame {
  readonly kind: 'tensor';
  readonly inference: number;
  readonly channel: number;
  readonly tensor: Tensor;
  /** ms by the sender's clock; not where devices share a process. */
  readonly sent?: number;
}

/** `device` failed, in one inference or (null) for good. */
export interface AbortFrame {
  readonly kind: 'abort';
  readonly inference: number | null;
  readonly device: string;
  readonly code: string;
  readonly message: string;
}

/** What is the time on the peer? It answers with the question's time beside its own: ms since the epoch. */
export interface ClockFrame {
  readonly kind: 'clock';
  readonly asked: number;
  /** null in a question. */
  readonly answered: number | null;
}

/** Bytes that are sent to see how long they take; empty ones tell the latency. */
export interface ProbeFrame {
  readonly kind: 'probe';
  readonly bytes: number;
  /** ms by the sender's clock, here and below. */
  readonly sent: number;
}

/** How long the receiver's frames took that came to the sender lately. */
export interface RateFrame {
  readonly kind: 'rate';
  readonly sent: number;
  readonly bytes: number;
  readonly seconds: number;
  /** ms by the receiver's own clock: when it sent the latest of them. All that it sent before has come, too. */
  readonly until: number;
}

/** The holder of the inputs starts an inference. */
export interface StartFrame {
  readonly kind: 'start';
  readonly inference: number;
  /** Index into the build's plans; 0 if not given. */
  readonly plan?: number;
  readonly sent?: number;
}

/** First on every connection, in both directions. */
export interface HelloFrame {
  readonly kind: 'hello';
  readonly protocol: number;
  readonly build: string;
  readonly device: string;
  /** Another one each time that the device is opened. */
  readonly instance: string;
  /** The lowest inference of which the sender knows nothing. */
  readonly next: number;
  /** That the device has the key it says, where keys are used. */
  readonly proof?: string;
}

/** The answer to a hello that does not fit. */
export interface RejectFrame {
  readonly kind: 'reject';
  readonly code: string;
  readonly message: string;
}

export type Frame =
  | HelloFrame
  | RejectFrame
  | TensorFrame
  | AbortFrame
  | ClockFrame
  | StartFrame
  | ProbeFrame
  | RateFrame
  /** A device has finished its share of an inference. */
  | { readonly kind: 'done'; readonly inference: number }
  /** The holder of the inputs asks whether an inference may start; a device that has all its peers answers. */
  | { readonly kind: 'check' | 'ready'; readonly token: number }
  /** The sender stops in good order; whether the peer can be reached, and its answer. */
  | { readonly kind: 'bye' | 'ping' | 'pong' };

/** Bytes that are no frame. `inference` where the header still told it. */
export interface Malformed {
  readonly kind: 'malformed';
  readonly reason: string;
  readonly inference: number | null;
}

const KINDS = [
  'hello',
  'reject',
  'start',
  'done',
  'tensor',
  'abort',
  'bye',
  'ping',
  'clock',
  'pong',
  'check',
  'ready',
  'probe',
  'rate',
] as const;
const HEADER = 16;
const SENT = 8;
const MAX_RANK = 28;
/** Of a frame that is no tensor. */
export const MAX_CONTROL_BYTES = 1 << 16;
const WHOLE_DEVICE = 2 ** 48 - 1;
const NOTHING = Buffer.alloc(0);

/**
 * Up to here ZeroMQ hands out views into its read buffer at any address; beyond, memory of its own that malloc aligned.
 * An unaligned typed array would make onnxruntime read unaligned floats, so small payloads are copied.
 */
const UNALIGNED_UP_TO = 8192;

/** @throws RangeError for a tensor of more than 28 dimensions */
export function encodeFrame(frame: Frame): [header: Buffer, payload: Buffer] {
  switch (frame.kind) {
    case 'tensor': {
      const { type, dims } = frame.tensor;
      if (dims.length > MAX_RANK) throw new RangeError(`a tensor of rank ${dims.length} cannot be sent`);
      const header = headerOf(frame.kind, frame.inference, HEADER + 4 * dims.length + SENT);
      header[10] = onnxNumber(type);
      header[11] = dims.length;
      header.writeUInt32LE(frame.channel, 12);
      dims.forEach((size, axis) => {
        header.writeUInt32LE(size, HEADER + 4 * axis);
      });
      header.writeDoubleLE(frame.sent ?? Number.NaN, HEADER + 4 * dims.length);
      return [header, bytesOf(frame.tensor)];
    }
    case 'start': {
      const { plan, sent } = frame;
      const numbers =
        plan === undefined && sent === undefined ? NOTHING : bytesOfNumbers(plan ?? 0, sent ?? Number.NaN);
      return [headerOf(frame.kind, frame.inference), numbers];
    }
    case 'done':
      return [headerOf(frame.kind, frame.inference), NOTHING];
    case 'probe': {
      const payload = Buffer.alloc(SENT + frame.bytes);
      payload.writeDoubleLE(frame.sent);
      return [headerOf(frame.kind), payload];
    }
    case 'rate':
      return [headerOf(frame.kind), bytesOfNumbers(frame.sent, frame.bytes, frame.seconds, frame.until)];
    case 'check':
    case 'ready':
      return [headerOf(frame.kind, frame.token), NOTHING];
    case 'bye':
    case 'ping':
    case 'pong':
      return [headerOf(frame.kind), NOTHING];
    case 'clock':
      return [headerOf(frame.kind), bytesOfNumbers(frame.asked, frame.answered ?? Number.NaN)];
    case 'abort': {
      const { device, code, message } = frame;
      return [headerOf(frame.kind, frame.inference ?? WHOLE_DEVICE), json({ device, code, message: cut(message) })];
    }
    case 'hello': {
      const header = headerOf(frame.kind, frame.next);
      header[2] = frame.protocol;
      const { build, device, instance, proof } = frame;
      const hello = { build, device, instance, proof };
      return [header, json(hello)];
    }
    case 'reject':
      return [headerOf(frame.kind), json({ code: frame.code, message: cut(frame.message) })];
    default:
      return frame satisfies never;
  }
}

/** All frames of a message. */
export function decodeMessage(parts: readonly Uint8Array[]): (Frame | Malformed)[] {
  if (parts.length <= 2 || parts.length % 2 > 0) return [decodeFrame(parts)];
  return Array.from({ length: parts.length / 2 }, (_, i) => decodeFrame(parts.slice(2 * i, 2 * i + 2)));
}

/** Never throws: bytes come from the network. */
export function decodeFrame(parts: readonly Uint8Array[]): Frame | Malformed {
  const [first, payload] = parts;
  if (parts.length !== 2 || !first || !payload) return malformed(`${parts.length} parts instead of 2`);
  if (first.length < HEADER) return malformed(`a header of ${first.length} bytes`);
  const header = Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  if (header[0] !== 0x53 || header[1] !== 0x58) return malformed('a header that does not begin with "SX"');
  const kind = KINDS[header[3] ?? KINDS.length];
  if (!kind) return malformed(`unknown kind ${header[3]}`);
  if (header[2] !== PROTOCOL && kind !== 'hello' && kind !== 'reject') return malformed(`protocol ${header[2]}`);
  return kind === 'tensor' ? decodeTensor(header, payload) : decodeControl(kind, header, payload);
}

function decodeTensor(header: Buffer, payload: Uint8Array): Frame | Malformed {
  const inference = header.readUIntLE(4, 6);
  const dtype = dtypeOfOnnxNumber(header[10] ?? 0);
  const rank = header[11] ?? 0;
  if (!dtype) return malformed(`unknown dtype ${header[10]}`, inference);
  if (rank > MAX_RANK || header.length !== HEADER + 4 * rank + SENT) {
    return malformed(`a header of ${header.length} bytes for rank ${rank}`, inference);
  }
  const dims: number[] = [];
  for (let axis = 0; axis < rank; axis++) dims.push(header.readUInt32LE(HEADER + 4 * axis));
  const size = bytesPerElement(dtype);
  if (size > 0 && payload.length !== elements(dims) * size) {
    return malformed(`${payload.length} bytes for ${dtype} [${dims.join(', ')}]`, inference);
  }
  const aligned = payload.length <= UNALIGNED_UP_TO ? new Uint8Array(payload) : payload;
  const tensor = tensorOver(dtype, dims, aligned);
  if (!tensor) return malformed(`${payload.length} bytes that are not ${elements(dims)} strings`, inference);
  const sent = header.readDoubleLE(HEADER + 4 * rank);
  const channel = header.readUInt32LE(12);
  return Number.isNaN(sent)
    ? { kind: 'tensor', inference, channel, tensor }
    : { kind: 'tensor', inference, channel, tensor, sent };
}

function decodeControl(
  kind: Exclude<(typeof KINDS)[number], 'tensor'>,
  header: Buffer,
  payload: Uint8Array,
): Frame | Malformed {
  const inference = header.readUIntLE(4, 6);
  switch (kind) {
    case 'start': {
      if (payload.length === 0) return { kind, inference };
      const [plan, sent] = numbersIn(payload, 2);
      if (plan === undefined || sent === undefined || !Number.isInteger(plan)) return malformed('a start of no plan');
      return { kind, inference, plan, ...(!Number.isNaN(sent) && { sent }) };
    }
    case 'probe': {
      const bytes = payload.length - SENT;
      if (bytes < 0) return malformed('a probe that does not say when it was sent');
      return { kind, bytes, sent: new DataView(payload.buffer, payload.byteOffset).getFloat64(0, true) };
    }
    case 'rate': {
      const [sent, bytes, seconds, until] = numbersIn(payload, 4).filter(Number.isFinite);
      if (sent === undefined || bytes === undefined || seconds === undefined || until === undefined) {
        return malformed('a rate of no numbers');
      }
      return { kind, sent, bytes, seconds, until };
    }
    case 'done':
      return { kind, inference };
    case 'check':
    case 'ready':
      return { kind, token: inference };
    case 'bye':
    case 'ping':
    case 'pong':
      return { kind };
    case 'clock': {
      if (payload.length !== 16) return malformed(`a clock of ${payload.length} bytes`);
      const [asked = Number.NaN, answered = Number.NaN] = numbersIn(payload, 2);
      return { kind, asked, answered: Number.isNaN(answered) ? null : answered };
    }
    case 'hello': {
      const { build, device, instance = '', proof } = texts(payload);
      if (build === undefined || device === undefined) return malformed('a hello without build and device');
      const hello = { protocol: header[2] ?? 0, build, device, instance, next: inference };
      return { kind, ...hello, ...(proof !== undefined && { proof }) };
    }
    case 'reject': {
      const { code, message } = texts(payload);
      if (code === undefined || message === undefined) return malformed('a reject without code and message');
      return { kind, code, message };
    }
    case 'abort': {
      const { device, code, message } = texts(payload);
      if (device === undefined || code === undefined || message === undefined)
        return malformed('an abort without code');
      return { kind, inference: inference === WHOLE_DEVICE ? null : inference, device, code, message };
    }
    default:
      return kind satisfies never;
  }
}

const malformed = (reason: string, inference: number | null = null): Malformed => ({
  kind: 'malformed',
  reason,
  inference,
});

function headerOf(kind: (typeof KINDS)[number], inference = 0, length = HEADER): Buffer {
  const header = Buffer.allocUnsafe(length).fill(0);
  header[0] = 0x53;
  header[1] = 0x58;
  header[2] = PROTOCOL;
  header[3] = KINDS.indexOf(kind);
  header.writeUIntLE(inference, 4, 6);
  return header;
}

/** None where the bytes are not so many numbers. */
const numbersIn = (payload: Uint8Array, count: number): number[] =>
  payload.length === 8 * count ? [...new Float64Array(new Uint8Array(payload).buffer)] : [];

const bytesOfNumbers = (...values: number[]): Buffer => Buffer.from(Float64Array.from(values).buffer);

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));

const cut = (message: string): string => (message.length > 4000 ? `${message.slice(0, 4000)} …` : message);

/** The fields of a JSON object that are texts; none where the bytes are no JSON object. */
function texts(payload: Uint8Array): Partial<Record<string, string>> {
  if (payload.length > MAX_CONTROL_BYTES) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString());
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : [])),
    );
  } catch {
    return {};
  }
}
