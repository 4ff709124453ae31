#!/usr/bin/env node
/** What `shardonnx` starts. */
import { run } from './command-line.ts';

await run(process.argv.slice(2));
