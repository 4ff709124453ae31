/** What `main.js --help` and `--version` print. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from './inputs.ts';
import type { DeviceManifest } from './manifest.ts';
import { callersOf, DEFAULT_TIMEOUTS, listenersOf } from './transport.ts';

export function help(manifest: DeviceManifest): string {
  const { device, build, inputs, outputs } = manifest;
  const lines = [
    `${device}, a device of build ${build.slice(0, 12)}`,
    `  inputs   ${inputs.map(describe).join(', ') || 'none: another device holds them'}`,
    `  outputs  ${outputs.map(describe).join(', ') || 'none: another device has them'}`,
    ...callersOf(manifest).map((peer) => `  listens  for ${peer}`),
    ...listenersOf(manifest).map((peer) => `  connects to ${peer}`),
    '',
    '  --listen tcp://0.0.0.0:7000      where other devices find this one',
    '  --peer NAME=tcp://ADDRESS:PORT   where this device finds another; repeatable',
    '  --input NAME=FILE.npy            an input, or NAME=random; repeatable',
    '  --keys DIR                       keys of this build\'s devices ("shardonnx keys"); keys/ beside main.js if it is there',
    '  --insecure                       go without keys where others can reach this device: nothing is encrypted',
    '  --use-plan N                     of several plans the Nth, whatever the bandwidth',
    '  --stay                           go on when the device that holds the inputs stops, until a signal comes',
    '  --output DIR                     write each output to DIR/NAME.npy, the latest stays',
    '  --repeat N                       inferences, 1',
    '  --in-flight N                    inferences at once, 1',
    '  --trace FILE                     what was done and when, for Chrome or ui.perfetto.dev',
    "  --threads N                      onnxruntime's",
    '  --cores N                        that no other program takes; all that this one may use',
    `  --timeout SECONDS                for every wait during an inference, ${DEFAULT_TIMEOUTS.inference}`,
    `  --connect-timeout SECONDS        for all peers to come, ${DEFAULT_TIMEOUTS.connect}`,
    '  --http PORT                      /healthz, /readyz, /metrics for this machine; 0.0.0.0:PORT for all',
    '  --log-level LEVEL                debug, info, warn or error; info',
    '  --log-format text|json           json: one object a line, on stderr',
    '  --json                           print one JSON object at the end, all else on stderr',
    '  --config FILE                    any of these without their dashes, in YAML or JSON',
    '  --version                        and the digest of the build',
    '  --help',
    '',
    'The environment gives them too: SHARDONNX_LISTEN, SHARDONNX_PEER=NAME=tcp://…,NAME=tcp://…, SHARDONNX_LOG_LEVEL.',
    'A flag counts before the environment, the environment before the file.',
  ];
  return lines.join('\n');
}

/** @param directory the device's folder, whose package.json has the version of the compiler that wrote it */
export async function version(directory: string, { device, build }: DeviceManifest): Promise<string> {
  const text = await readFile(join(directory, 'package.json'), 'utf8').catch(() => '{}');
  const about: unknown = JSON.parse(text);
  const known = typeof about === 'object' && about !== null && 'version' in about ? String(about.version) : 'unknown';
  return `shardonnx ${known}\ndevice ${device}\nbuild ${build}`;
}
