/**
 * What sessions and messages keep a device's program for, in the order a device does them and by how much memory was touched in
 * between: running a session, writing and reading frames, handing them to ZeroMQ and taking them, and what that costs the session
 * that follows.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeFrame, encodeFrame } from '../../runtime/frame.ts';
import { nap } from '../../runtime/nap.ts';
import { dealer, router } from '../../runtime/zeromq-sockets.ts';
import type { Profile } from '../profile/profile.ts';
import { quantile } from './attribute.ts';
import { ONE_SESSION, touchOther } from './caches.ts';

/** Of each level. */
const ROUNDS = 40;
/** Bytes that sessions touch: nothing worth mention, less than a core's own caches hold, all that they hold, more than that. */
const LEVELS = [0, ONE_SESSION / 8, ONE_SESSION, 4 * ONE_SESSION];
/** Until JavaScript is compiled. */
const WARM_UP = 400;
/** A halo of a few rows. */
const BYTES = 16_384;
/** ms after which a message on this machine is in its socket; also the longest wait for it. */
const ARRIVAL = 5;
const DEADLINE = 5000;

export type Handling = { readonly session: Profile['session']['after']; readonly messages: Profile['messages'] };

/** Two ends of a connection on this machine. */
async function withEnds<T>(
  use: (send: () => Promise<void>, receive: () => Promise<unknown>) => Promise<T>,
): Promise<T> {
  const receiver = router({ receiveHighWaterMark: 0, receiveTimeout: DEADLINE });
  const sender = dealer({ sendHighWaterMark: 0, sendTimeout: 0, linger: 0 });
  try {
    await receiver.bind('tcp://127.0.0.1:*');
    sender.connect(receiver.lastEndpoint ?? '');
    const data = new Float32Array(BYTES / 4);
    const tensor = { type: 'float32', dims: [data.length], data } as const;
    return await use(
      () => sender.send([...encodeFrame({ kind: 'tensor', inference: 0, channel: 0, tensor })]),
      async () => decodeFrame((await receiver.receive()).slice(1)),
    );
  } finally {
    sender.close();
    receiver.close();
  }
}

/** Seconds of something, noted. */
async function timed<T>(into: number[], run: () => T): Promise<Awaited<T>> {
  const begin = performance.now();
  const made = await run();
  into.push((performance.now() - begin) / 1e3);
  return made;
}

const median = (values: readonly number[]): number => quantile(values, 0.5)!;

/**
 * @param run runs an empty session, another one each time
 * @param spareCore whether onnxruntime leaves a core to others; if not, a device naps between sending and its next session
 */
export const measureHandling = (run: () => Promise<unknown>, spareCore: boolean): Promise<Handling> =>
  withEnds(async (send, receive) => {
    for (let i = 0; i < WARM_UP; i++) {
      await Promise.all([run(), send()]);
      await receive();
    }
    const [session, first]: [Profile['session']['after'], Profile['messages']['after']] = [[], []];
    const [sent, received, late]: [number[], number[], number[]] = [[], [], []];
    for (const touched of LEVELS) {
      const forget = touchOther(touched);
      const [sessions, sends, paused, receives]: [number[], number[], number[], number[]] = [[], [], [], []];
      for (let round = 0; round < ROUNDS; round++) {
        await run();
        forget();
        await timed(sessions, run);
        forget();
        const begin = performance.now();
        const handed = [send()];
        sends.push((performance.now() - begin) / 1e3);
        const between = performance.now();
        handed.push(send());
        sent.push((performance.now() - between) / 1e3);
        await timed(paused, () => {
          if (!spareCore) nap();
          return run();
        });
        await Promise.all(handed);
        await sleep(ARRIVAL);
        forget();
        await timed(receives, receive);
        await timed(received, receive);
      }
      session.push({ touched, seconds: median(sessions) });
      first.push({ touched, send: median(sends), receive: median(receives) });
      late.push(median(paused) - median(sessions));
    }
    return {
      session,
      messages: {
        after: first,
        further: { send: median(sent), receive: median(received) },
        pause: Math.max(0, median(late)),
      },
    };
  });
