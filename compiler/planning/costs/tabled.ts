/** Costs of one device from a foreign table of layers: what it does not name costs nothing there, nor do borders. */
import { CompileError } from '../../error.ts';
import type { Program } from '../../ir/program.ts';
import type { DeviceProfile } from '../../profile/load.ts';
import { cutsOf } from '../cuts.ts';
import type { Step } from '../schedule.ts';
import { type DeviceCosts, type Source, sumsOfSteps, type Work } from './device-costs.ts';
import { share } from './roofline.ts';

export type Table = Extract<DeviceProfile, { kind: 'table' }>;

export class TabledDevice implements DeviceCosts {
  /** @throws layer-table where the table names none of the model's operators */
  constructor(
    imported: Program<'imported'>,
    private readonly table: Table,
  ) {
    const names = [...cutsOf(imported).operators.keys()];
    if (names.some((name) => table.layers.has(name))) return;
    const [layer] = table.layers.keys();
    throw new CompileError('layer-table', `names no operator of ${imported.name}`, {
      at: [table.file],
      hint: `layers are named as the model's nodes: it has "${layer}", the model "${names[0]}"; \`shardonnx inspect\` lists them`,
    });
  }

  private layer(operator: Work) {
    return operator.kind === 'compute' ? this.table.layers.get(operator.origin) : undefined;
  }

  /** A tile costs its share of the layer, by output elements and addends. */
  seconds(program: Program, operator: Work): number {
    const layer = this.layer(operator);
    return layer && operator.kind === 'compute' ? layer.seconds * share(program, operator) : 0;
  }

  border(): number {
    return 0;
  }

  assemble(): number {
    return 0;
  }

  steps(program: Program, steps: readonly Step[]): number[] {
    return sumsOfSteps(this, program, steps);
  }

  message(): number {
    return 0;
  }

  joules(program: Program, operator: Work): number | undefined {
    const layer = this.layer(operator);
    if (!layer || operator.kind !== 'compute') return 0;
    return layer.joules === undefined ? undefined : layer.joules * share(program, operator);
  }

  source(_: Program, operator: Work): Source {
    return this.layer(operator) ? 'table' : 'free';
  }
}
