// SPDX-License-Identifier: Apache-2.0
// npm run build: the C core by gcc (native/build.sh), the library and the CLI by esbuild, the types by tsc.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'

/** Loads a part of the build. Ends the build with a remedy if a development dependency is missing. */
async function load(path) {
  try {
    return await import(path)
  } catch (error) {
    const [, missing] = /^Cannot find package '([^']+)'/.exec(error.message) ?? []
    if (missing === undefined) throw error
    console.error(`npm run build: the development dependency ${missing} is not installed\n  remedy: npm ci`)
    process.exit(1)
  }
}

const { buildCli } = await load('./scripts/build/cli.js')
const { buildLibrary } = await load('./scripts/build/library.js')
const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }

rmSync('dist', { recursive: true, force: true })
execFileSync('sh', ['native/build.sh'], { stdio: 'inherit' })
await buildLibrary(shared)
await buildCli(shared)
