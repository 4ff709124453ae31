/** What a bundle's main.js calls: one device from the command line. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type OpenDevice, openDevice } from './device.ts';
import { driven } from './driven.ts';
import { ShardonnxError } from './error.ts';
import { checkInputs, describe } from './inputs.ts';
import type { DeviceManifest, TensorSpec } from './manifest.ts';
import { readNpy, writeNpy } from './npy.ts';
import type { Program, Tensor } from './program.ts';
import { randomTensor } from './random.ts';
import { readDeviceManifest } from './read-manifest.ts';
import { callersOf, listenersOf } from './transport.ts';
import { zeromqTransport } from './zeromq-transport.ts';

export interface MainOptions {
  /** The device's folder. */
  readonly directory: string;
  readonly program: Program;
}

/** Sets the exit status: 0 only if what was asked was done. */
export async function main(options: MainOptions, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  try {
    await run(options, parseFlags(args));
  } catch (error) {
    if (!(error instanceof ShardonnxError)) throw error;
    console.error(error.format());
    process.exitCode = 1;
  }
}

async function run({ directory, program }: MainOptions, flags: Flags): Promise<void> {
  const timeouts = { inference: flags.timeout, connect: flags.connectTimeout };
  const threads = flags.threads === undefined ? {} : { threads: flags.threads };
  if (flags.ipc) return driven({ directory, program, timeouts, ...threads }, flags.listen ?? 'tcp://127.0.0.1:*');
  const manifest = await readDeviceManifest(directory);
  if (flags.help) return console.log(help(manifest));
  const say = (line: string) => (flags.json ? console.error(line) : console.log(line));
  const inputs = await loadInputs(manifest, flags);
  const interrupted = new Promise<never>((_, reject) => {
    const stop = () => reject(new ShardonnxError('stopped', `${manifest.device} was stopped before all peers had come`));
    for (const signal of SIGNALS) process.once(signal, stop);
  });
  const opening = openDevice({
    directory,
    program,
    timeouts,
    ...threads,
    transport: zeromqTransport({
      listen: flags.listen,
      peers: async (listening) => {
        if (listening) say(`${manifest.device}: listening at ${listening}`);
        return flags.peers;
      },
    }),
    onFailure: (inference, error) => {
      if (error instanceof ShardonnxError) console.error(`inference ${inference}: ${error.format()}`);
    },
  });
  const device = await Promise.race([opening, interrupted]);
  return work(device, inputs, flags, say);
}
