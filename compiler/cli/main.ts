#!/usr/bin/env node
/** The command line. Exit status 0 only if what was asked holds. */
import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import { addCompile } from './compile-command.ts';
import { addInspect } from './inspect-command.ts';
import { reportError } from './output.ts';
import { addRun } from './run-command.ts';
import { addVerify } from './verify-command.ts';

const json = process.argv.includes('--json');
const program = new Command('shardonnx')
  .description('compiles one ONNX model into a program per device')
  .version(version)
  .showHelpAfterError('(shardonnx <command> --help shows what it takes)')
  .exitOverride();
for (const add of [addInspect, addCompile, addRun, addVerify]) add(program);
for (const command of program.commands) command.exitOverride().showHelpAfterError(true);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has printed what it has to say; help and version end with status 0.
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else reportError(error, { json });
}
