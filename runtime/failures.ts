/** The errors of devices working together, one function an error. */
import { ShardonnxError } from './error.ts';
import type { AbortFrame } from './frame.ts';

export const seconds = (count: number): string => `${Number(count.toFixed(1))} s`;

/** @param where e.g. `at tcp://10.0.0.2:7000` or `to connect to tcp://0.0.0.0:7000` */
export const peerMissing = (device: string, peers: readonly string[], where: string, waited: number) =>
  new ShardonnxError('peer-missing', `${device} waited ${seconds(waited)} for ${peers.join(', ')} ${where}`, {
    hint: `start ${peers.join(', ')}, or check addresses and firewall; --connect-timeout waits longer`,
  });

export const peerLost = (device: string, peer: string, why: string) =>
  new ShardonnxError('peer-lost', `${device} lost ${peer}: ${why}`, { hint: `look at the output of ${peer}` });

export const notReady = (device: string, peers: readonly string[], waited: number) =>
  new ShardonnxError('not-ready', `${device} waited ${seconds(waited)} for ${peers.join(', ')} to be ready`, {
    hint: `look at the output of ${peers.join(', ')}; one that has lost a peer of its own waits for it`,
  });

/** @param peer where it failed, which need not be a direct neighbour */
export const peerFailed = (peer: string, code: string, message: string) =>
  new ShardonnxError('peer-failed', `${peer} failed: ${code}: ${message}`, {
    hint: `look at the output of ${peer}`,
  });

export const receiveTimeout = (device: string, peer: string, channel: number, tensor: string, waited: number) =>
  new ShardonnxError('receive-timeout', `${device} waited ${seconds(waited)} for ${tensor} from ${peer}`, {
    at: [`channel ${channel}`],
    hint: `--timeout waits longer; look at the output of ${peer}`,
  });

export const badFrame = (device: string, from: string, reason: string) =>
  new ShardonnxError('bad-frame', `${from} sent ${device} what is no frame of this build: ${reason}`, {
    hint: 'use bundles of one build; if they are, something else speaks on that connection',
  });

/** The holder of the inputs has given up an inference whose link has dropped, and repeats it on its own. */
export const ABANDONED = 'abandoned';

/** @param waited ms */
export const abandoned = (device: string, plan: string, waited: number) =>
  new ShardonnxError(
    ABANDONED,
    `${device} gave up ${plan} after ${Math.round(waited)} ms: what peers wait for comes late`,
  );

/** What another device says of its failure in an inference, or for good. @param device where it failed, which need not be a direct neighbour */
export const told = ({ device, code, message }: AbortFrame) =>
  code === ABANDONED ? new ShardonnxError(ABANDONED, message) : peerFailed(device, code, message);

export const noSuchPlan = (plan: number, plans: number) =>
  new ShardonnxError('no-such-plan', `there is no plan ${plan}: the build has ${plans}, counted from 0`);

/** Whether it was another device that failed, or could not be reached in time. */
export const comesFromOthers = (error: unknown): boolean =>
  error instanceof ShardonnxError &&
  ['peer-lost', 'peer-failed', 'receive-timeout', 'bad-frame', ABANDONED].includes(error.code);

export const stopped = (device: string) => new ShardonnxError('stopped', `${device} was stopped`);

export const notInputDevice = (device: string, inputDevice: string) =>
  new ShardonnxError('not-input-device', `${device} does not hold the inputs, ${inputDevice} does`, {
    hint: `give them to ${inputDevice}`,
  });
