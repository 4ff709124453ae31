/** Costs of a device that nobody measured: round figures of one machine, scaled by the device's speed. */
import type { Program } from '../../ir/program.ts';
import type { Step } from '../schedule.ts';
import { type DeviceCosts, type Source, sumsOfSteps, type Work } from './device-costs.ts';
import { assembleSeconds, borderSeconds, type Roofline } from './roofline.ts';

export class EstimatedDevice implements DeviceCosts {
  constructor(
    private readonly roofline: Roofline,
    private readonly speed: number,
  ) {}

  seconds(program: Program, operator: Work): number {
    return this.roofline.seconds(program, operator) / this.speed;
  }

  border(bytes: number): number {
    return borderSeconds(bytes) / this.speed;
  }

  assemble(bytes: number): number {
    return assembleSeconds(bytes) / this.speed;
  }

  steps(program: Program, steps: readonly Step[]): number[] {
    return sumsOfSteps(this, program, steps);
  }

  message(): number {
    return 0;
  }

  joules(): undefined {}

  source(): Source {
    return 'estimated';
  }
}
