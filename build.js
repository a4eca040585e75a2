// SPDX-License-Identifier: Apache-2.0
// npm run build: the C core by gcc (native/build.sh), the library and the CLI by esbuild, the types by tsc.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { buildCli } from './scripts/build/cli.js'
import { buildLibrary } from './scripts/build/library.js'

const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }

rmSync('dist', { recursive: true, force: true })
execFileSync('sh', ['native/build.sh'], { stdio: 'inherit' })
await buildLibrary(shared)
await buildCli(shared)
