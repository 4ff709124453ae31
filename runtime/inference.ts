/** One inference on one device: what a generated program calls. */
import { ShardonnxError } from './error.ts';
import { now } from './ipc.ts';
import type { Links } from './links.ts';
import type { Mailbox } from './mailbox.ts';
import { byteLength } from './mailbox.ts';
import type { ChannelSpec, DeviceManifest } from './manifest.ts';
import type { DataOf, Device, Tensor, Tensors } from './program.ts';
import type { Segment } from './segment.ts';
import type { Recorder } from './stats.ts';
import { mismatch } from './tensor.ts';
import type { Trace } from './trace.ts';
import type { Transport } from './transport.ts';
import type { Turns } from './turns.ts';

type DTypes = readonly (keyof DataOf)[];

/** What all inferences of a device share. */
export interface Parts {
  readonly manifest: DeviceManifest;
  readonly segments: readonly Segment[];
  /** By id. */
  readonly channels: ReadonlyMap<number, ChannelSpec>;
  readonly transport: Transport;
  readonly mailbox: Mailbox;
  readonly recorder: Recorder;
  readonly turns: Turns;
  /** null: nothing is recorded. */
  readonly trace: Trace | null;
}

/**
 * The two casts: which dtypes come is said by the generated program from device.json, and checked against device.json
 * when segments are loaded and when tensors arrive.
 */
export function inference(id: number, parts: Parts, links: Links): Device {
  const { manifest, segments, transport, mailbox, recorder, turns, trace } = parts;
  return {
    async segment<D extends DTypes>(index: number, inputs: readonly Tensor[]) {
      const segment = segments[index];
      if (!segment) throw new RangeError(`${manifest.device} has no segment ${index}`);
      const outputs = await turns.take(id, async () => {
        // Of an inference that has failed while it waited for its turn nothing is computed any more.
        mailbox.check(id);
        // Of several in flight, no device waits for this one alone.
        if (mailbox.size <= 1) transport.letGo();
        const begin = performance.now();
        const made = await segment.run(inputs);
        const end = performance.now();
        recorder.segment(index, end - begin);
        trace?.add('segment', id, index, begin, end);
        return made;
      });
      return outputs as unknown as Tensors<D>;
    },
    send(to, channel, tensor) {
      checkSent(parts, to, channel, tensor);
      const bytes = byteLength(tensor);
      recorder.counters.bytesSent += bytes;
      const begin = performance.now();
      const sent = now();
      if (transport.inProcess) transport.send(to, { kind: 'tensor', inference: id, channel, tensor });
      else transport.send(to, { kind: 'tensor', inference: id, channel, tensor, sent });
      links.sent(to, id, bytes, sent);
      trace?.add('send', id, channel, begin);
    },
    receive<D extends keyof DataOf>(from: string, channel: number) {
      const begin = performance.now();
      const tensor = mailbox.receive(id, from, channel);
      if (trace) {
        tensor.then(
          () => trace.add('wait', id, channel, begin),
          () => {},
        );
      }
      return tensor as Promise<Tensor<D>>;
    },
  };
}

/** The program and device.json were written together; this tells on the device at fault when a tensor departs from them. */
function checkSent({ manifest, channels }: Parts, to: string, id: number, tensor: Tensor): void {
  const channel = channels.get(id);
  if (channel?.from !== manifest.device || channel.to !== to)
    throw new RangeError(`channel ${id} to ${to} is not known`);
  const wrong = mismatch(channel, tensor);
  if (!wrong) return;
  const { name } = channel;
  const message = `"${name}" has ${wrong.what} ${wrong.given}, device.json expects ${wrong.expected}`;
  throw new ShardonnxError('channel-mismatch', message, {
    at: [`device ${manifest.device}`, `channel ${id} to ${to}`],
  });
}
