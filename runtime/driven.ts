/** A device driven by a parent process on the same machine: `main.js --ipc`. */

import type { OpenDevice } from './behaviour.ts';
import { type Deferred, deferred } from './deferred.ts';
import { ShardonnxError } from './error.ts';
import { type FromDevice, isToDevice, now, plainError, plainTensors, type ToDevice } from './ipc.ts';
import { type DeviceOptions, openDevice } from './open-device.ts';
import { zeromqTransport } from './zeromq-transport.ts';

/** Resolves when the parent has stopped the device; ends the process when the parent is gone. */
export async function driven(options: Omit<DeviceOptions, 'transport' | 'onFailure'>, listen: string): Promise<void> {
  // Ctrl-C reaches the whole process group; the parent decides.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit(1));
  if (!process.connected) process.exit(1);
  let device: OpenDevice | undefined;
  const failure = deferred<never>();
  try {
    const transport = zeromqTransport({ listen, peers: askParent });
    device = await openDevice({ ...options, transport, onFailure: (_, error) => failure.reject(error), rejoin: false });
    await drive(device, failure);
  } catch (error) {
    await tell({ type: 'error', error: plainError(error) });
    await device?.close();
    process.exitCode = 1;
  }
  process.removeAllListeners('disconnect');
  process.disconnect?.();
}

async function drive(device: OpenDevice, failure: Deferred<never>): Promise<void> {
  process.on('SIGTERM', () => void device.close());
  hear((message) => void obey(device, message).catch(failure.reject));
  const { device: name, inputDevice, outputDevice } = device.manifest;
  if (name === outputDevice && name !== inputDevice) void pass(device);
  await tell({ type: 'ready' });
  await Promise.race([device.stopped, failure.promise]);
}

/** The parent knows where all devices listen once each has said it. */
function askParent(endpoint: string | null): Promise<Readonly<Record<string, string>>> {
  return new Promise((resolve) => {
    hear((message) => message.type === 'peers' && resolve(message.endpoints));
    void tell({ type: 'listening', endpoint });
  });
}

async function obey(device: OpenDevice, message: ToDevice): Promise<void> {
  switch (message.type) {
    case 'infer': {
      const began = now();
      const outputs = await device.infer(message.inputs);
      const { inference } = message;
      await tell({ type: 'result', inference, outputs: plainTensors(outputs), began, ended: now() });
      break;
    }
    case 'stats':
      await tell({ type: 'stats', stats: device.stats() });
      break;
    case 'trace':
      await tell({ type: 'trace', trace: device.trace() });
      break;
    case 'stop':
      await device.close();
      break;
    case 'peers':
      break;
    default:
      message satisfies never;
  }
}

async function pass(device: OpenDevice): Promise<void> {
  for await (const { inference, outputs } of device.results()) {
    const ended = now();
    await tell({ type: 'result', inference, outputs: plainTensors(outputs), began: ended, ended });
  }
}

function hear(listener: (message: ToDevice) => void): void {
  process.on('message', (message) => {
    if (isToDevice(message)) listener(message);
  });
}

/** Resolves when the message has left this process. */
function tell(message: FromDevice): Promise<void> {
  if (!process.send) throw new ShardonnxError('no-parent', '--ipc is for a parent process that drives this device');
  return new Promise((resolve) => process.send?.(message, undefined, {}, () => resolve()));
}
