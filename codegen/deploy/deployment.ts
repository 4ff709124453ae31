/** What every way of deploying a build needs to know of its devices. */
import { CompileError } from '../../compiler/error.ts';
import type { DeviceManifest } from '../../runtime/manifest.ts';

export interface DeployedDevice {
  readonly device: string;
  /** Its name where only lower-case letters, digits and dashes may be. */
  readonly name: string;
  /** Where it listens for the devices before it. */
  readonly port: number;
  /** Whether any device comes before it. */
  readonly listens: boolean;
  /** Devices that it may have to find. */
  readonly later: readonly DeployedDevice[];
  /** It holds the inputs: it starts inferences and ends; the others serve. */
  readonly starts: boolean;
  /** Flags that give it its inputs, read from /data, where outputs go too. */
  readonly data: readonly string[];
  /** Files of its folder, without segments/. */
  readonly files: readonly string[];
  /** Bytes for weights and activations, where the cluster file limits them. */
  readonly memory: number | undefined;
  readonly endpoint: string | undefined;
}

export interface Deployed {
  readonly build: string;
  readonly model: string;
  readonly devices: readonly DeployedDevice[];
}

export const HTTP_PORT = 9090;
const PORT = 7000;
/** Bytes that Node and onnxruntime take beside weights and activations. */
const RUNTIME = 512 * 2 ** 20;

export const memoryLimit = ({ memory }: DeployedDevice): number | undefined => memory && memory + RUNTIME;

/** `shardonnx-server:3fa5…` */
export const image = ({ name }: DeployedDevice, { build }: Deployed): string =>
  `shardonnx-${name}:${build.slice(0, 12)}`;

/** Settings inside containers, where devices find each other by name. */
export const environment = ({ listens, port, later }: DeployedDevice): Record<string, string> => ({
  ...(listens && { SHARDONNX_LISTEN: `tcp://0.0.0.0:${port}` }),
  ...(later.length > 0 && {
    SHARDONNX_PEER: later.map((peer) => `${peer.device}=tcp://${peer.name}:${peer.port}`).join(','),
  }),
  SHARDONNX_KEYS: '/keys',
  SHARDONNX_HTTP: `0.0.0.0:${HTTP_PORT}`,
  SHARDONNX_LOG_FORMAT: 'json',
  SHARDONNX_CONNECT_TIMEOUT: '300',
});

/** @throws deploy-name where two devices would have one name, or one that a build uses otherwise */
export function deployed(
  build: string,
  model: string,
  manifests: readonly DeviceManifest[],
  memory: (device: string) => number | undefined,
): Deployed {
  const devices: DeployedDevice[] = [];
  for (const [i, { device, inputs, inputDevice, endpoints, files }] of [...manifests.entries()].reverse()) {
    const name = device
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/-$/, '');
    if (device === 'deploy' || devices.some((other) => other.name === name)) {
      throw new CompileError('deploy-name', `${device} cannot be deployed under the name ${name}, which is taken`, {
        hint: 'give the device another name in the cluster file',
      });
    }
    const starts = device === inputDevice;
    const endpoint = endpoints?.[device];
    devices.unshift({
      device,
      name,
      port: Number(/:(\d+)$/.exec(endpoint ?? '')?.[1] ?? PORT),
      listens: i > 0,
      later: [...devices],
      starts,
      data: starts ? inputs.flatMap((input) => ['--input', `${input.name}=/data/${fileName(input.name)}.npy`]) : [],
      files: [...Object.keys(files).filter((path) => !path.includes('/')), 'device.json'],
      memory: memory(device),
      endpoint,
    });
  }
  return { build, model, devices };
}

const fileName = (input: string): string => input.replace(/[^\w.-]+/g, '_');
