// SPDX-License-Identifier: Apache-2.0
// npm run build: the C core by gcc (native/build.sh), the library and the CLI by esbuild, the types by tsc.
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }

execFileSync('sh', ['native/build.sh'], { stdio: 'inherit' })
await build({ ...shared, entryPoints: ['src/index.ts'], format: 'esm', outfile: 'dist/index.js' })
// one CommonJS file: Node starts it a few milliseconds sooner than a module graph
await build({
  ...shared,
  entryPoints: ['src/cli/main.ts'],
  format: 'cjs',
  outfile: 'dist/cli.cjs',
  define: { 'import.meta.url': 'importMetaUrl', HUTCH_VERSION: JSON.stringify(version) },
  banner: { js: "#!/usr/bin/env node\nconst importMetaUrl = require('node:url').pathToFileURL(__filename).href" },
})
chmodSync('dist/cli.cjs', 0o755)
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], { stdio: 'inherit' })
