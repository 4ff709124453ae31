/** On the device that holds the inputs: how calls become inferences, under which plan, and again under another where peers fail. */
import type { Choice } from './choice.ts';
import type { Deadlines } from './deadlines.ts';
import { abandoned, comesFromOthers } from './failures.ts';
import { InFlight } from './in-flight.ts';
import type { Parts } from './inference.ts';
import { now } from './ipc.ts';
import type { Links } from './links.ts';
import type { Log } from './log.ts';
import { Patience, type Watched } from './patience.ts';
import type { Peers } from './peers.ts';
import type { NamedTensors } from './program.ts';
import type { Readiness } from './readiness.ts';

/** One inference of a call: the first, or the one that repeats it. */
interface Call {
  readonly id: number;
  readonly plan: number;
  readonly devices: readonly string[];
}

/** What calls need of their device. */
export interface Caller {
  readonly peers: Peers;
  readonly readiness: Readiness;
  readonly choice: Choice;
  readonly links: Links;
  readonly log: Log;
  /** This device's share of an inference that has begun. */
  readonly execute: (id: number, plan: number, inputs: NamedTensors) => Promise<NamedTensors>;
  /** @throws why the device can begin nothing */
  readonly checkAble: () => void;
  /** Whether the device has failed for good. */
  readonly hasFailed: () => boolean;
}

export class Calls {
  readonly inFlight: InFlight;
  /** Those that have neither their outputs nor their error, by inference. */
  readonly #open = new Map<number, Call>();
  readonly #patience: Patience;
  /** Settles when all earlier calls may begin, or may not. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    limit: number,
    private readonly deadlines: Deadlines,
    private readonly parts: Parts,
    private readonly caller: Caller,
  ) {
    this.inFlight = new InFlight(limit, deadlines);
    const { plans, fallback } = caller.choice;
    const waits = (inference: number) => parts.mailbox.waits(inference);
    const untilThere = ({ id, plan }: Watched) => caller.links.untilThere(id, plans[plan]?.devices ?? []);
    const give = (inference: number, waited: number) => this.#giveUp(inference, waited);
    this.#patience = new Patience(plans, fallback, waits, untilThere, give);
  }

  /** Resolves when the inference has begun, in the order of calls. @throws peer-lost, not-ready, inference-timeout, stopped */
  async begin(inputs: NamedTensors): Promise<{ readonly outputs: Promise<NamedTensors> }> {
    await this.inFlight.enter();
    try {
      await this.#mayBegin();
    } catch (error) {
      this.inFlight.leave();
      throw error;
    }
    return { outputs: this.#run(inputs) };
  }

  /** Resolves when one can begin. @throws not-ready, stopped, why the device cannot go on */
  async ready(seconds: number): Promise<void> {
    const { choice, readiness, checkAble } = this.caller;
    if (choice.fallback !== null) return checkAble();
    for (const end = performance.now() + seconds * 1000; ; ) {
      checkAble();
      try {
        return await readiness.wait((end - performance.now()) / 1000);
      } catch (error) {
        // A peer that is lost meanwhile may come back in time.
        if (performance.now() >= end) throw error;
      }
    }
  }

  /** Another device has failed in it. */
  aborted(inference: number): void {
    if (!this.#open.has(inference)) this.inFlight.failed(inference);
  }

  /** A peer has told what has come of what this device has sent. */
  heard(): void {
    this.#patience.heard();
  }

  /** Whether an inference goes on without this peer. */
  spares(inference: number, peer: string): boolean {
    return this.#open.get(inference)?.devices.includes(peer) === false;
  }

  close(): void {
    this.#patience.close();
  }

  async #mayBegin(): Promise<void> {
    const before = this.#turn;
    const own = this.#awaitPeers();
    this.#turn = Promise.allSettled([before, own]);
    await this.#turn;
    await own;
    this.caller.checkAble();
  }

  async #awaitPeers(): Promise<void> {
    const { choice, readiness, peers, links, checkAble } = this.caller;
    await links.news();
    checkAble();
    if (choice.fallback !== null) return;
    const missing = peers.missing();
    if (missing) throw missing;
    await readiness.wait(this.deadlines.seconds);
  }

  async #run(inputs: NamedTensors): Promise<NamedTensors> {
    const { choice, readiness, hasFailed, log } = this.caller;
    const call = this.#start(this.#choose());
    this.inFlight.start(call.id, call.devices);
    try {
      return await this.#attempt(call, inputs);
    } catch (error) {
      // Is a device that did not do its part still there, and able to?
      if (comesFromOthers(error)) readiness.ask();
      this.#ends(call);
      const { fallback } = choice;
      if (hasFailed() || !comesFromOthers(error) || fallback === null || call.plan === fallback) {
        this.inFlight.failed(call.id);
        throw error;
      }
      const again = this.#start(fallback);
      this.parts.recorder.repeats();
      this.inFlight.again(call.id, again.id, again.devices);
      log('info', 'repeated', `inference ${call.id} is repeated on this device alone, as ${again.id}`);
      return await this.#attempt(again, inputs).catch((reason) => {
        this.#ends(again);
        this.inFlight.failed(again.id);
        throw reason;
      });
    }
  }

  /** None that would wait behind what was sent for inferences that were given up, and add to it. */
  #choose(): number {
    const { choice, links } = this.caller;
    // Of one plan there is nothing to choose, and every inference would ask all links.
    const plan = choice.next(choice.plans.length > 1 ? links.bandwidth : null);
    const { fallback, plans, isForced } = choice;
    if (fallback === null || isForced) return plan;
    return links.areBehind(plans[plan]?.devices ?? [], (id) => this.#open.has(id)) ? fallback : plan;
  }

  #start(plan: number): Call {
    const { choice, peers, links } = this.caller;
    const id = this.parts.mailbox.begin();
    const call = { id, plan, devices: choice.plans[plan]?.devices ?? [] };
    this.#open.set(id, call);
    this.#watch();
    links.begins(call.devices);
    const sent = this.parts.transport.inProcess ? {} : { sent: now() };
    for (const device of call.devices) peers.tell(device, { kind: 'start', inference: id, plan, ...sent });
    return call;
  }

  #ends(call: Call): void {
    this.#open.delete(call.id);
    this.#watch();
  }

  #watch(): void {
    const [earliest] = this.#open.values();
    this.#patience.watch(earliest);
  }

  /** As if a peer had been lost: it is repeated, and what still comes of it is dropped. */
  #giveUp(inference: number, waited: number): void {
    const { choice } = this.caller;
    const call = this.#open.get(inference);
    if (!call || choice.isForced) return;
    const { device } = this.parts.manifest;
    this.parts.mailbox.fail(inference, abandoned(device, choice.plans[call.plan]?.name ?? '', waited));
  }

  async #attempt(call: Call, inputs: NamedTensors): Promise<NamedTensors> {
    const { id, plan } = call;
    const outputs = await this.caller.execute(id, plan, inputs);
    this.#patience.finished(call);
    this.caller.links.finished(id, call.devices);
    this.#ends(call);
    if (this.caller.peers.haveHeardOf(id)) this.inFlight.failed(id);
    else this.inFlight.finished(id, this.parts.manifest.device);
    return outputs;
  }
}
