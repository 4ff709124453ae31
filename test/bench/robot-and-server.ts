/** A robot and a server of one thread each, as what this machine measured of itself says of them. */
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import type { Point, Profile } from '../../compiler/profile/profile.ts';
import { type MeasuredLink, writtenLink } from './testbed/measured-link.ts';
import type { Testbed } from './testbed/testbed.ts';

export const ROBOT = 'robot';
export const SERVER = 'server';

/** The profile of a machine that has only a share of this one's processor. */
function slower(profile: Profile, share: number): Profile {
  const point = (one: Point): Point => ({
    ...one,
    seconds: one.seconds.map((seconds) => seconds / share),
    enter: one.enter / share,
    leave: one.leave / share,
  });
  const slowerMessage = ({ send, receive }: Profile['messages']['further']) => ({
    send: send / share,
    receive: receive / share,
  });
  const { session, messages, memory, chains } = profile;
  return {
    ...profile,
    session: {
      after: session.after.map(({ touched, seconds }) => ({ touched, seconds: seconds / share })),
      alone: session.alone / share,
      outputs: session.outputs * share,
    },
    messages: {
      after: messages.after.map(({ touched, ...one }) => ({ touched, ...slowerMessage(one) })),
      further: slowerMessage(messages.further),
      pause: messages.pause / share,
    },
    memory: {
      copy: memory.copy * share,
      cold: memory.cold.map(({ touched, seconds }) => ({ touched, seconds: seconds / share })),
    },
    chains: Object.fromEntries(
      Object.entries(chains).map(([key, { plain, blocked }]) => [
        key,
        { plain: plain.map(point), blocked: blocked.map(point) },
      ]),
    ),
  };
}

export function clusterOf(testbed: Pick<Testbed, 'share'>, profile: Profile, link: MeasuredLink): Cluster {
  const cluster = parseCluster({
    devices: { [ROBOT]: { threads: 1 }, [SERVER]: { threads: 1 } },
    links: [{ between: [ROBOT, SERVER], ...writtenLink(link) }],
  });
  const devices = cluster.devices.map((device) => ({
    ...device,
    measured: { kind: 'profile', file: 'this machine', profile: slower(profile, testbed.share(device.name)) } as const,
  }));
  return { ...cluster, devices };
}
