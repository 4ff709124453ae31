/**
 * Opens a testbed: network namespaces where they can be made (root on Linux), else plain processes whose links are shaped on the
 * way.
 */
import { Namespaces } from './namespaces.ts';
import { ShapedTransport } from './shaped-transport.ts';
import type { Testbed, TestbedSpec } from './testbed.ts';

/** Links are shaped in the transport where that is asked for or nothing else is possible; {@link Testbed.note} says why. */
export function openTestbed(
  spec: TestbedSpec,
  inTransport: boolean = process.argv.includes('--transport-shaping'),
): Testbed {
  const reason = inTransport ? 'asked for' : Namespaces.unavailable();
  return reason === null ? Namespaces.open(spec) : new ShapedTransport(spec, reason);
}
