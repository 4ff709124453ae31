/** A profile made up for tests: figures that can be checked by hand. */
import type { Program } from '../../compiler/ir/program.ts';
import { chainsOf, Session } from '../../compiler/planning/costs/chains.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import type { MeasuredChain, Point, Profile } from '../../compiler/profile/profile.ts';

export const point = (sizes: Point['sizes'], seconds: number[], more: Partial<Point> = {}): Point => ({
  sizes,
  work: 1000,
  bytes: 1000,
  seconds,
  spread: 0.01,
  enter: 0,
  leave: 0,
  ...more,
});

export const profileOf = (chains: Readonly<Record<string, MeasuredChain>>, more: Partial<Profile> = {}): Profile => ({
  format: 'shardonnx-profile',
  version: 2,
  machine: { cpu: 'made up', architecture: 'x64', platform: 'linux', onnxruntime: '1.30.0', threads: 1 },
  models: ['made-up'],
  session: { after: [{ touched: 0, seconds: 1e-4 }], alone: 1e-5, outputs: 1e9 },
  messages: {
    after: [{ touched: 0, send: 2e-5, receive: 3e-5 }],
    further: { send: 1e-5, receive: 2e-6 },
    pause: 5e-5,
  },
  memory: { copy: 1e10, cold: [{ touched: 1, seconds: 1e-9 }] },
  chains,
  ...more,
});

/** The chains of a whole model in one session. */
export const chainsOfModel = (program: Program<'imported'>) =>
  chainsOf(program, new Session([...cutsOf(program).operators.values()], new Set()));
