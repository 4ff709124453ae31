/**
 * Layers split over two accelerators: the published throughput gains and every published cut beside ours, and what more cuts add.
 * `--rows` prints every cut, `--json`.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadSolver } from '../../compiler/planning/placement/linear-program.ts';
import { networks } from './cnnparted/networks.ts';
import { holds, type Outcome, outcomeOf } from './cnnparted/outcome.ts';
import { frontTable, gainTable, rowTable, summaryTable } from './cnnparted/print.ts';
import { agreementOf } from './cnnparted/rows.ts';

const folder = fileURLToPath(new URL('../../../shared/evidence/cnnparted', import.meta.url));
const { values } = parseArgs({ options: { rows: { type: 'boolean' }, json: { type: 'boolean' } } });

async function main(): Promise<void> {
  if (!existsSync(folder)) {
    console.log('skipped: ../shared/evidence/cnnparted is not there');
    return;
  }
  await loadSolver();
  const outcomes: Outcome[] = [];
  for (const published of networks) outcomes.push(await outcomeOf(folder, published));
  if (values.json) {
    const networksOf = outcomes.map((outcome) => {
      const { published, comparison, ...rest } = outcome;
      const agreement = comparison && agreementOf(comparison);
      return {
        name: published.name,
        publishedGain: published.gain,
        ...rest,
        agreement,
        ...comparison,
        holds: holds(outcome),
      };
    });
    console.log(JSON.stringify({ networks: networksOf }));
  } else {
    console.log(gainTable(outcomes));
    for (const outcome of outcomes) if (values.rows) console.log(rowTable(outcome));
    console.log(summaryTable(outcomes));
    console.log(frontTable(outcomes));
  }
  const broken = outcomes.filter((outcome) => !holds(outcome)).map(({ published }) => published.name);
  if (broken.length > 0) process.exitCode = 1;
  if (!values.json) console.log(broken.length > 0 ? `not reproduced: ${broken.join(', ')}` : 'all reproduced');
}

await main();
