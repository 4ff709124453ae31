/** A network with logged layers as a graph of costs: two accelerators joined by Ethernet, the first has the input. */
import type { Link } from '../../../compiler/cluster/cluster.ts';
import { NAMED_LINKS } from '../../../compiler/cluster/named-links.ts';
import { occupiedSeconds, queueOf, transferJoules, transferSeconds } from '../../../compiler/cluster/transfer.ts';
import { type CostGraph, NO_TRANSFER } from '../../../compiler/planning/cost-graph.ts';
import type { Network } from './network.ts';
import { type LoggedLayer, PLATFORMS } from './tables.ts';

/** Bytes an element takes on each platform, and on the link. */
export const PLATFORM_BYTES = [2, 1];
export const LINK_BYTES = 2;

export const LINK: Link = { between: PLATFORMS, ...NAMED_LINKS['ethernet-1000'] };

/** `/layer1/layer1.0/conv1/Conv` is layer1.0.conv1: a module's path repeats the names of those around it. */
export function moduleOf(path: string): string {
  const parts = path.split('/').slice(1, -1);
  const named = parts.filter(
    (part, i) => !/^[.-]/.test(parts[i + 1]?.startsWith(part) ? parts[i + 1]!.slice(part.length) : ''),
  );
  // Containers that the zoo's RegNet does not name.
  return named.filter((part) => part !== 'trunk_output' && part !== 'f').join('.');
}

/** The logged layer of each of the network's layers that has one: by its name, else by the order. @throws Error */
export function match({ name, layers }: Network, logged: readonly LoggedLayer[]): (LoggedLayer | null)[] {
  const convolutions = layers.filter(({ type }) => type === 'Conv');
  if (convolutions.length !== logged.length) {
    throw new Error(`${name} has ${convolutions.length} convolutions, ${logged.length} are logged`);
  }
  const byName = new Map(logged.map((one) => [moduleOf(one.name), one]));
  const named = convolutions.every((layer) => byName.has(layer.name));
  const found = convolutions.map((layer, i) => (named ? byName.get(layer.name)! : logged[i]!));
  return layers.map((layer) => (layer.type === 'Conv' ? found[convolutions.indexOf(layer)]! : null));
}

export function graphOf(network: Network, logged: readonly LoggedLayer[]): CostGraph {
  const found = match(network, logged);
  const none = PLATFORMS.map(() => 0);
  const made = [network.inputElements, ...network.layers.map((layer) => layer.elements)];
  return {
    devices: PLATFORMS.map((name) => ({ name, memory: Number.POSITIVE_INFINITY })),
    waiting: 0,
    operators: network.layers.map(({ name, weights }, i) => ({
      name,
      seconds: found[i]?.seconds ?? none,
      joules: found[i]?.joules ?? none,
      weightBytes: PLATFORM_BYTES.map((bytes) => bytes * weights),
    })),
    tensors: made.map((count, i) => ({
      name: network.layers[i - 1]?.name ?? 'input',
      bytes: PLATFORMS.map(() => LINK_BYTES * count),
      heldBytes: PLATFORM_BYTES.map((bytes) => bytes * count),
      maker: i === 0 ? null : i - 1,
      readers: network.layers.flatMap(({ inputs }, reader) => (inputs.includes(i - 1) ? [reader] : [])),
      // Whoever computes the result keeps it.
      wanted: false,
    })),
    inputs: 0,
    outputs: 0,
    transfer: (from, to, bytes) =>
      from === to
        ? NO_TRANSFER
        : {
            ...NO_TRANSFER,
            seconds: transferSeconds(LINK, bytes),
            occupied: occupiedSeconds(LINK, bytes),
            joules: transferJoules(LINK, bytes),
          },
    queue: (from) => queueOf(LINK, PLATFORMS[from]!),
    joined: true,
  };
}
