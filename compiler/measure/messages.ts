/**
 * What messages cost a device's program: writing and reading frames, handing them to ZeroMQ and taking them; and what ZeroMQ's own
 * threads take from computing, which is nothing where they have a core beside it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeFrame, encodeFrame } from '../../runtime/frame.ts';
import { zeromq } from '../../runtime/modules.ts';
import { nap } from '../../runtime/nap.ts';
import type { Profile } from '../profile/profile.ts';
import { quantile } from './attribute.ts';

const BURSTS = 40;
/** Messages between two sessions. */
const BURST = 2;
/** Until JavaScript is compiled. */
const WARM_UP = 400;
/** A halo of a few rows. */
const BYTES = 16_384;
/** ms after which a message on this machine is in its socket; also the longest wait for it. */
const ARRIVAL = 5;
const DEADLINE = 5000;
/** Square roots. */
const WORK = 4e6;

/** Seconds of always the same work, a few ms of it, which holds the event loop. */
function compute(): number {
  const begin = performance.now();
  let value = 0;
  for (let i = 0; i < WORK; i++) value += Math.sqrt(i);
  // Used, so that it is not left out.
  return value > 0 ? (performance.now() - begin) / 1e3 : 0;
}

/**
 * @param forget called before each burst: on a device, a session ran before it
 * @param spareCore whether onnxruntime leaves a core to others; if not, a device naps between sending and its next session
 */
export async function measureMessages(forget: () => void, spareCore: boolean): Promise<Profile['messages']> {
  const { Dealer, Router } = zeromq();
  const router = new Router({ receiveHighWaterMark: 0, receiveTimeout: DEADLINE });
  const dealer = new Dealer({ sendHighWaterMark: 0, sendTimeout: 0, linger: 0 });
  try {
    await router.bind('tcp://127.0.0.1:*');
    dealer.connect(router.lastEndpoint ?? '');
    const data = new Float32Array(BYTES / 4);
    const tensor = { type: 'float32', dims: [data.length], data } as const;
    const send = () => dealer.send([...encodeFrame({ kind: 'tensor', inference: 0, channel: 0, tensor })]);
    const receive = async () => decodeFrame((await router.receive()).slice(1));
    for (let i = 0; i < WARM_UP; i++) {
      await send();
      await receive();
    }
    const [sends, naps, receives, taken]: [number[], number[], number[], number[]] = [[], [], [], []];
    for (let burst = 0; burst < BURSTS; burst++) {
      const undisturbed = compute();
      forget();
      const begin = performance.now();
      const sent = Array.from({ length: BURST }, send);
      const handed = performance.now();
      sends.push((handed - begin) / 1e3 / BURST);
      if (!spareCore) nap();
      naps.push((performance.now() - handed) / 1e3);
      taken.push((compute() - undisturbed) / BURST);
      await Promise.all(sent);
      await sleep(ARRIVAL);
      forget();
      const arrived = performance.now();
      for (let i = 0; i < BURST; i++) await receive();
      receives.push((performance.now() - arrived) / 1e3 / BURST);
    }
    // By the threads of both ends, which are in this process.
    const other = Math.max(0, quantile(taken, 0.5)) / 2;
    // Before most sessions there is one message.
    return { send: quantile(sends, 0.5) + quantile(naps, 0.5) + other, receive: quantile(receives, 0.5) + other };
  } finally {
    dealer.close();
    router.close();
  }
}
