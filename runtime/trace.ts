/** What a device did, and when: recorded only where asked for, and no more than so many events. */
import type { ChannelSpec, DeviceManifest } from './manifest.ts';

/**
 * `segment`: onnxruntime ran it. `send`: the tensor was handed to the transport. `arrival`: the device took it in, which is
 * later than it came where onnxruntime held the event loop. `wait`: the program waited for it.
 */
export interface TraceEvent {
  readonly kind: 'segment' | 'send' | 'arrival' | 'wait';
  readonly inference: number;
  /** Of the segment in device.json, or the channel's id. */
  readonly id: number;
  /** ms since the epoch by the clock of the device that holds the inputs. */
  readonly start: number;
  readonly end: number;
}

export interface DeviceTrace {
  readonly device: string;
  /** All devices of the build. */
  readonly devices: readonly string[];
  readonly channels: readonly ChannelSpec[];
  /** In the order of ends. */
  readonly events: readonly TraceEvent[];
  /** Events that were not recorded any more. */
  readonly left: number;
  /** ms by which its times may be off; null: its clock was never compared. */
  readonly clockError: number | null;
}

/** Some ten megabytes. */
const MOST = 100_000;

/** Round trips in which clocks are compared. */
const TRIPS = 16;

/** How far the clock of another device is ahead, by round trips: the shortest tells most. */
export class ClockOffset {
  /** ms. */
  offset = 0;
  /** ms it may be off: that trip's two ways need not be equally long. */
  error: number | null = null;
  #trips = 0;

  /**
   * All in ms, `asked` and `back` by the own clock.
   * @returns whether another trip is worth while
   */
  take(asked: number, answered: number, back: number): boolean {
    const error = (back - asked) / 2;
    if (this.error === null || error < this.error) {
      this.error = error;
      this.offset = answered - (asked + back) / 2;
    }
    return ++this.#trips < TRIPS;
  }
}

export class Trace {
  readonly clock = new ClockOffset();
  readonly #events: TraceEvent[] = [];
  #left = 0;

  constructor(private readonly manifest: DeviceManifest) {}

  /** Both times by performance.now(). */
  add(kind: TraceEvent['kind'], inference: number, id: number, start: number, end = performance.now()): void {
    if (this.#events.length === MOST) this.#left++;
    else this.#events.push({ kind, inference, id, start, end });
  }

  export(): DeviceTrace {
    const { device, devices, inputDevice, channels } = this.manifest;
    const zero = performance.timeOrigin + this.clock.offset;
    const events = this.#events.map((event) => ({ ...event, start: zero + event.start, end: zero + event.end }));
    const clockError = device === inputDevice ? 0 : this.clock.error;
    return { device, devices, channels, events, left: this.#left, clockError };
  }
}
