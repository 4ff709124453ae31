/** A team in this process: each device's program.js is imported here. */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OpenDevice } from './behaviour.ts';
import { plansOf } from './choice.ts';
import { ShardonnxError } from './error.ts';
import type { DeviceManifest } from './manifest.ts';
import { memoryTransport } from './memory-transport.ts';
import { openDevice } from './open-device.ts';
import type { NamedTensors, Program } from './program.ts';
import type { Result } from './results.ts';
import type { DeviceStats } from './stats.ts';
import { Failures, type Outcome, type Team, type TeamSetup } from './team.ts';
import type { DeviceTrace } from './trace.ts';

export async function inProcess({
  directory: build,
  manifests,
  timeouts,
  threads,
  inFlight,
  trace,
  plan,
}: TeamSetup): Promise<Team> {
  const transport = memoryTransport();
  const failures = new Failures();
  const opened: OpenDevice[] = [];
  const open = async (manifest: TeamSetup['manifests'][number]) => {
    const { device } = manifest;
    const directory = join(build, device);
    const program = await Promise.all(plansOf(manifest).map((_, index) => importProgram(directory, manifest, index)));
    const onFailure = (_: number, error: unknown) => failures.add(device, error);
    const options = {
      directory,
      program,
      transport,
      timeouts,
      threads: threads(manifest),
      inFlight,
      trace,
      onFailure,
      rejoin: false,
      ...(plan !== undefined && { plan }),
    };
    const one = await openDevice(options);
    one.stopped.catch((error) => failures.add(device, error));
    opened.push(one);
    return one;
  };
  const close = async () => {
    await Promise.all(opened.map((device) => device.close()));
  };
  const all = Promise.all(manifests.map((manifest) => failures.guard(manifest.device, open(manifest))));
  const devices = await all.catch(async (error) => {
    await close();
    throw error;
  });
  return new InProcess(devices, failures);
}

class InProcess implements Team {
  readonly #input: OpenDevice;
  /** null where one device holds inputs and outputs. */
  readonly #results: AsyncIterator<Result, undefined> | null;
  #next = 0;

  constructor(
    private readonly devices: readonly OpenDevice[],
    private readonly failures: Failures,
  ) {
    const named = (name: string | undefined) => devices.find(({ manifest }) => manifest.device === name);
    const input = named(devices[0]?.manifest.inputDevice);
    const output = named(devices[0]?.manifest.outputDevice);
    if (!input || !output) throw new RangeError('a device of the build is missing');
    this.#input = input;
    this.#results = input === output ? null : output.results()[Symbol.asyncIterator]();
  }

  async infer(inputs: NamedTensors): Promise<Outcome> {
    const inference = this.#next++;
    const began = performance.now();
    try {
      const outputs = await this.failures.guard(this.#input.manifest.device, this.#outputs(inference, inputs));
      return { outputs, ms: performance.now() - began };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async stats(): Promise<DeviceStats[]> {
    return this.devices.map((device) => device.stats());
  }

  async trace(): Promise<DeviceTrace[]> {
    return this.devices.map((device) => device.trace()).filter((trace) => trace !== null);
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()));
  }

  async #outputs(inference: number, inputs: NamedTensors): Promise<NamedTensors> {
    const own = await this.#input.infer(inputs);
    if (!this.#results) return own;
    const { value } = await this.#results.next();
    // Another's comes where this one failed, which ends the team.
    if (value?.inference === inference) return value.outputs;
    throw new ShardonnxError('stopped', 'the bundle was closed');
  }
}

async function importProgram(directory: string, { device, build }: DeviceManifest, plan: number): Promise<Program> {
  const name = programFile(plan);
  const file = resolve(join(directory, name));
  // Modules are loaded once a URL: another build in the same folder must not get the earlier one's program.
  const module: unknown = await import(`${pathToFileURL(file).href}?build=${build}`).catch((cause) => {
    throw badProgram(file, `${device}/${name} cannot be loaded: ${cause.message}`, cause);
  });
  const program = typeof module === 'object' && module !== null && 'program' in module ? module.program : undefined;
  if (!isProgram(program)) throw badProgram(file, `${device}/${name} exports no program`);
  return program;
}

/** As codegen names them. */
const programFile = (plan: number): string => (plan === 0 ? 'program.js' : `program-${plan + 1}.js`);

const isProgram = (value: unknown): value is Program => typeof value === 'function';

const badProgram = (file: string, message: string, cause?: unknown) =>
  new ShardonnxError('bundle-invalid', message, { at: [file], hint: 'compile the model again', cause });
