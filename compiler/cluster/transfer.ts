/** What a message costs a link, in time and energy: the one model that planner and simulator share. */
import type { Link } from './cluster.ts';

/** Bytes that pass for a message of `bytes`: they, and what their frames add. */
const wireBytes = ({ frame }: Link, bytes: number): number =>
  frame ? bytes + Math.ceil(bytes / frame.payload) * frame.overhead : bytes;

/** Seconds that a message keeps its queue on the link busy: the next one waits as long. */
export const occupiedSeconds = (link: Link, bytes: number): number =>
  link.overhead + wireBytes(link, bytes) / link.bandwidth;

/** Seconds from when an idle link is given a message until the receiver has the whole of it: occupied, then the latency. */
export const transferSeconds = (link: Link, bytes: number): number => occupiedSeconds(link, bytes) + link.latency;

/**
 * Seconds by which a link may be ahead of that after it carried nothing: it takes a burst at once. Only who knows when messages
 * are sent can count on it.
 */
export const leadOf = ({ burst, bandwidth }: Link): number => burst / bandwidth;

/** Joules of the link itself for one message; what the devices draw while they send and receive is theirs. */
export const transferJoules = (link: Link, bytes: number): number =>
  link.energy * bytes + link.power * transferSeconds(link, bytes);

/** Name of the queue in which messages of `from` wait: one a direction, or one for both where they share the medium. */
export const queueOf = ({ between: [a, b], duplex }: Link, from: string): string =>
  duplex === 'half' || from === a ? `${a} ${b}` : `${b} ${a}`;
