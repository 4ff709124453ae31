/**
 * Fewer sessions in an order of all devices' operators: what comes between two of them is received before and sent after both,
 * wherever nobody then waits for each other. For throughput: an inference's own waits are others' time to compute, but what a
 * session costs is lost.
 */
import type { Group } from './readiness.ts';

const isTransfer = (group: Group): group is Exclude<Group, readonly unknown[]> => 'kind' in group;

type Order = ReadonlyMap<string, readonly Group[]>;

/** Whether all devices come to their ends: each does its groups in turn, and receives what has been sent. */
function comesToAnEnd(order: Order): boolean {
  const sent = new Set<number>();
  const rest = [...order.values()].map((groups) => ({ groups, next: 0 }));
  for (let goesOn = true; goesOn; ) {
    goesOn = false;
    for (const device of rest) {
      for (; device.next < device.groups.length; device.next++) {
        const group = device.groups[device.next]!;
        if (isTransfer(group)) {
          if (group.kind === 'send') sent.add(group.channel);
          else if (!sent.has(group.channel)) break;
        }
        goesOn = true;
      }
    }
  }
  return rest.every(({ groups, next }) => next === groups.length);
}

/** The groups with the session at `first` and the next one as one session; null: there is no next one. */
function mergedAt(groups: readonly Group[], first: number): Group[] | null {
  const second = groups.findIndex((group, i) => i > first && !isTransfer(group));
  const [one, other] = [groups[first]!, groups[second]];
  if (!other || isTransfer(one) || isTransfer(other)) return null;
  const between = groups.slice(first + 1, second).filter(isTransfer);
  const received = between.filter(({ kind }) => kind === 'receive');
  const sent = between.filter(({ kind }) => kind === 'send');
  return [...groups.slice(0, first), ...received, [...one, ...other], ...sent, ...groups.slice(second + 1)];
}

/** @param order of every device, by name; it comes to an end, and so does what is returned */
export function mergeSessions(order: Order): Order {
  const merged = new Map(order);
  for (const device of order.keys()) {
    for (let at = 0; at < merged.get(device)!.length; ) {
      const groups = merged.get(device)!;
      const fewer = isTransfer(groups[at]!) ? null : mergedAt(groups, at);
      if (fewer && comesToAnEnd(new Map(merged).set(device, fewer))) {
        merged.set(device, fewer);
        // Where it is now: behind what is received before it.
        while (isTransfer(fewer[at]!)) at++;
      } else at++;
    }
  }
  return merged;
}
