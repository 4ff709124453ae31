/** Devices in one process: tensors pass by reference, nothing is copied. For tests, and `run --transport memory`. */
import { PROTOCOL } from './frame.ts';
import { type Joinable, Joining, refusal } from './handshake.ts';
import type { Transport, TransportFactory, TransportListener, TransportSetup } from './transport.ts';
import { peersOf } from './transport.ts';

interface Member extends Joinable {
  readonly listener: TransportListener;
  readonly joining: Joining;
}

function meet(one: Member, other: Member): void {
  one.listener.joined(other.device, other.listener.next);
  one.joining.joined(other.device);
}

/** Devices opened with the factory that one call returns reach each other. */
export function memoryTransport(): TransportFactory {
  const members = new Map<string, Member>();
  return (setup) => new MemoryTransport(setup, members);
}

class MemoryTransport implements Transport {
  readonly inProcess = true;
  #closed = false;

  constructor(
    private readonly setup: TransportSetup,
    private readonly members: Map<string, Member>,
  ) {}

  async open(listener: TransportListener): Promise<void> {
    const { manifest, timeouts } = this.setup;
    const me: Member = {
      device: manifest.device,
      build: manifest.build,
      listener,
      joining: new Joining(manifest.device, peersOf(manifest)),
    };
    for (const name of peersOf(manifest)) {
      const other = this.members.get(name);
      if (!other) continue;
      const error = refusal(me, { ...other, protocol: PROTOCOL }, [name]);
      if (error) {
        other.joining.fail(error);
        me.joining.fail(error);
        break;
      }
      meet(other, me);
      meet(me, other);
    }
    this.members.set(me.device, me);
    await me.joining.within(timeouts.connect, () => 'in this process');
  }

  send(to: string, frame: Parameters<Transport['send']>[1]): void {
    const { device } = this.setup.manifest;
    // As over a network, what the peer does about it happens later.
    queueMicrotask(() => {
      const peer = this.members.get(to);
      if (!peer) return;
      if (frame.kind === 'bye') {
        peer.joining.left(device);
        peer.listener.bye(device);
      } else peer.listener.frame(device, frame);
    });
  }

  letGo(): void {}

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { device } = this.setup.manifest;
    this.members.get(device)?.joining.cancel();
    await Promise.resolve();
    this.members.delete(device);
  }
}
