/** Everything on one device. */
import { cutsOf } from '../cuts.ts';
import { type Policy, policyError } from './policy.ts';

export const whole: Policy = {
  name: 'whole',
  argument: 'DEVICE',
  summary: 'everything on one device',
  plan(program, cluster, argument) {
    const names = cluster.devices.map((device) => device.name);
    if (!names.includes(argument)) {
      throw policyError(`whole:${argument}`, `no device "${argument}"`, `devices are ${names.join(', ')}`);
    }
    const { operators, onDemand } = cutsOf(program);
    const planned = [...operators.keys()].filter((name) => !onDemand.has(name));
    return Object.fromEntries(planned.map((name) => [name, argument]));
  },
};
