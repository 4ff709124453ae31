/** The command line as a function of its arguments. */
import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import { addCompile } from './compile-command.ts';
import { addInspect } from './inspect-command.ts';
import { addKeys } from './keys-command.ts';
import { addOperators } from './operators-command.ts';
import { reportError } from './output.ts';
import { addPlan } from './plan-command.ts';
import { addProfile } from './profile-command.ts';
import { addRun } from './run-command.ts';
import { addSimulate } from './simulate-command.ts';
import { addVerify } from './verify-command.ts';

const hintFor = (command: Command): string =>
  `  shardonnx ${command.parent ? command.name() : '<command>'} --help shows what it takes`;

function commandLine(): Command {
  const program = new Command('shardonnx')
    .description('compiles one ONNX model into a program per device')
    .version(version)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'usage: ')) })
    .exitOverride();
  for (const add of [
    addInspect,
    addPlan,
    addSimulate,
    addCompile,
    addRun,
    addVerify,
    addOperators,
    addProfile,
    addKeys,
  ])
    add(program);
  for (const command of [program, ...program.commands]) command.exitOverride().showHelpAfterError(hintFor(command));
  return program;
}

/** Sets the exit status: 0 only if what was asked holds. @param args without node and the script */
export async function run(args: readonly string[]): Promise<void> {
  const json = args.includes('--json');
  try {
    await commandLine().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, { json });
    // Commander has told people what is wrong; help and version end with status 0.
    process.exitCode = error.exitCode;
    if (json && error.exitCode !== 0) {
      const message = error.message.replace(/^error: /, '');
      const hint = 'shardonnx <command> --help shows what it takes';
      process.stdout.write(`${JSON.stringify({ ok: false, error: { code: 'usage', message, at: [], hint } })}\n`);
    }
  }
}
