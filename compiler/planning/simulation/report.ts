/** What a simulated workload comes to: latency, throughput, energy by state, utilisation, and what every step waits for. */
import { type InferenceTimes, type StepTimes, simulateInFlight, simulateOne, type TransferTimes } from './in-flight.ts';
import { busiestOf, type WorkDevice, type Workload, type WorkStep } from './workload.ts';

/** Seconds that a device's program waits before a step. */
export interface Waits {
  /** The device computes another inference. */
  readonly device: number;
  /** The sender has not handed the tensor over. */
  readonly sender: number;
  /** The link carries something else. */
  readonly link: number;
  /** It is on its way. */
  readonly transfer: number;
}

export interface StepReport extends WorkStep {
  readonly device: string;
  /** Of a receive: who sends, and over which link. */
  readonly from?: string;
  readonly link?: string;
  /** Seconds from the start of an inference that is alone. */
  readonly start: number;
  readonly end: number;
  /** On average, with others in flight. */
  readonly waits: Waits;
}

/** Joules of one inference that is alone: idle all the time, what other states add to that. */
export interface DeviceEnergy {
  readonly idle: number;
  readonly compute: number;
  readonly send: number;
  readonly receive: number;
}

export interface DeviceReport {
  readonly device: string;
  /** Shares of the time: alone, and with others in flight. */
  readonly utilisation: number;
  readonly utilisationInFlight: number;
  /** null: its power is unknown. */
  readonly joules: DeviceEnergy | null;
}
export interface LinkReport {
  readonly link: string;
  readonly bytes: number;
  readonly utilisation: number;
  readonly utilisationInFlight: number;
  readonly joules: number;
}

export interface SimulationReport {
  /** Seconds of an inference that is alone, and on average of one with others in flight. */
  readonly latency: number;
  readonly latencyInFlight: number;
  readonly inFlight: number;
  /** Inferences a second in steady state; infinite where nothing takes time. */
  readonly throughput: number;
  /** Of one inference that is alone; null where a device's power is unknown. */
  readonly joules: number | null;
  readonly bytes: number;
  /** Of the transfers' time, the share during which their receiver has other work, alone. */
  readonly hidden: number;
  readonly devices: readonly DeviceReport[];
  readonly links: readonly LinkReport[];
  /** By device, in the order it does them. */
  readonly steps: readonly StepReport[];
}

/** As many inferences as are in flight are simulated so often; those count that neither fill the devices nor see them run dry. */
const ROUNDS = { before: 8, counted: 16, after: 1 };

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
const mean = (numbers: readonly number[]): number => sum(numbers) / Math.max(1, numbers.length);
const overlap = (begin: number, end: number, from: number, to: number): number =>
  Math.max(0, Math.min(end, to) - Math.max(begin, from));

/** @param transfer of a receive */
function waitsOf({ begin, ready, start }: StepTimes, transfer: TransferTimes | undefined): Waits {
  const device = start - ready;
  if (!transfer) return { device, sender: 0, link: 0, transfer: 0 };
  return {
    device,
    sender: overlap(begin, ready, 0, transfer.issued),
    link: overlap(begin, ready, transfer.issued, transfer.start),
    transfer: overlap(begin, ready, transfer.start, transfer.arrived),
  };
}

const secondsOf = (steps: readonly WorkStep[]): number => sum(steps.map(({ seconds }) => seconds));
const share = (seconds: number, of: number): number => (of > 0 ? seconds / of : 0);

class Reporter {
  private readonly alone: InferenceTimes;
  /** Those in steady state. */
  private readonly steady: readonly InferenceTimes[];
  /** Seconds between results. */
  private readonly interval: number;
  private readonly position: ReadonlyMap<number, number>;

  constructor(
    private readonly workload: Workload,
    private readonly inFlight: number,
  ) {
    this.alone = simulateOne(workload);
    const { before, counted, after } = ROUNDS;
    const inferences = (before + counted + after) * inFlight;
    const all = simulateInFlight(workload, { inferences, inFlight });
    this.steady = all.slice(before * inFlight, (before + counted) * inFlight);
    const last = (some: readonly InferenceTimes[]) => Math.max(...some.map(({ end }) => end));
    const measured = (last(this.steady) - last(all.slice(0, before * inFlight))) / this.steady.length;
    // Of a window that begins and ends amid others' work a little may be counted elsewhere: nothing is busier than always.
    this.interval = Math.max(measured, busiestOf(workload).seconds);
    this.position = new Map(workload.channels.map(({ id }, i) => [id, i]));
  }

  report(): SimulationReport {
    const { devices, channels } = this.workload;
    const { end } = this.alone;
    const deviceReports = devices.map((device) => this.device(device));
    const links = [...new Set(channels.map(({ link }) => link))].map((link) => this.link(link));
    const energies = deviceReports.map(({ joules }) => joules && sum(Object.values(joules)));
    const known = energies.flatMap((joules) => joules ?? []);
    return {
      latency: end,
      latencyInFlight: mean(this.steady.map((one) => one.end - one.begin)),
      inFlight: this.inFlight,
      throughput: 1 / this.interval,
      joules: known.length < energies.length ? null : sum(known) + sum(links.map(({ joules }) => joules)),
      bytes: sum(channels.map(({ bytes }) => bytes)),
      hidden: this.hidden(),
      devices: deviceReports,
      links,
      steps: devices.flatMap(({ steps }, i) => steps.map((_, n) => this.step(i, n))),
    };
  }

  private device({ device, power, steps }: WorkDevice): DeviceReport {
    const seconds = secondsOf(steps);
    const utilisation = share(seconds, this.alone.end);
    const rates = { utilisation, utilisationInFlight: share(seconds, this.interval) };
    if (!power) return { device, ...rates, joules: null };
    const { channels } = this.workload;
    const sent = sum(channels.filter(({ from }) => from === device).map((one) => one.seconds));
    const received = sum(channels.filter(({ to }) => to === device).map((one) => one.seconds));
    const computed = secondsOf(steps.filter(({ kind }) => kind === 'segment'));
    const joules = {
      idle: power.idle * this.alone.end,
      compute: (power.compute - power.idle) * computed,
      send: (power.send - power.idle) * sent,
      receive: (power.receive - power.idle) * received,
    };
    return { device, ...rates, joules };
  }

  private link(link: string): LinkReport {
    const own = this.workload.channels.filter((channel) => channel.link === link);
    const seconds = sum(own.map((one) => one.seconds));
    return {
      link,
      bytes: sum(own.map(({ bytes }) => bytes)),
      utilisation: share(seconds, this.alone.end),
      utilisationInFlight: share(seconds, this.interval),
      joules: sum(own.map(({ joules }) => joules)),
    };
  }

  private hidden(): number {
    const { devices, channels } = this.workload;
    const spans = channels.map(({ id, to }, i) => {
      const receiver = devices.findIndex(({ device }) => device === to);
      const at = devices[receiver]!.steps.findIndex((step) => step.kind === 'receive' && step.id === id);
      const { begin, end } = this.alone.steps[receiver]![at]!;
      const { issued, arrived } = this.alone.transfers[i]!;
      return {
        seconds: arrived - issued,
        waited: Math.min(arrived - issued, Math.max(0, end - Math.max(begin, issued))),
      };
    });
    const total = sum(spans.map(({ seconds }) => seconds));
    return total > 0 ? 1 - sum(spans.map(({ waited }) => waited)) / total : 1;
  }

  private step(device: number, at: number): StepReport {
    const step = this.workload.devices[device]!.steps[at]!;
    const { begin, end } = this.alone.steps[device]![at]!;
    const channel = step.kind === 'receive' ? this.position.get(step.id)! : undefined;
    const waits = this.steady.map(({ steps, transfers }) =>
      waitsOf(steps[device]![at]!, channel === undefined ? undefined : transfers[channel]),
    );
    const over = channel === undefined ? undefined : this.workload.channels[channel];
    return {
      ...step,
      device: this.workload.devices[device]!.device,
      ...(over ? { from: over.from, link: over.link } : {}),
      start: begin,
      end,
      waits: {
        device: mean(waits.map((one) => one.device)),
        sender: mean(waits.map((one) => one.sender)),
        link: mean(waits.map((one) => one.link)),
        transfer: mean(waits.map((one) => one.transfer)),
      },
    };
  }
}

/** Simulates one inference alone, and many of which so many are in flight. Deterministic. */
export const simulate = (workload: Workload, inFlight: number): SimulationReport =>
  new Reporter(workload, inFlight).report();
