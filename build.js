// SPDX-License-Identifier: Apache-2.0
// npm run build: the C core by gcc (native/build.sh), the library and the CLI by esbuild, the types by tsc.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { build } from 'esbuild'
import { buildCli } from './scripts/build/cli.js'

const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }

rmSync('dist', { recursive: true, force: true })
execFileSync('sh', ['native/build.sh'], { stdio: 'inherit' })
await build({ ...shared, entryPoints: ['src/index.ts'], format: 'esm', outfile: 'dist/index.js' })
await buildCli(shared)
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], { stdio: 'inherit' })
