// SPDX-License-Identifier: Apache-2.0
// The library, by esbuild and tsc: dist/index.cjs, dist/index.js, and the types for both. Called by build.js.
// There is one copy of the code, since the addon knows one listener: dist/index.js only passes on what dist/index.cjs exports.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { build } from 'esbuild'

export async function buildLibrary(shared) {
  await build({
    ...shared,
    format: 'cjs',
    entryPoints: ['src/index.ts'],
    outfile: 'dist/index.cjs',
    // identifiers are kept, for stacks of errors
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 120,
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href" },
    define: { 'import.meta.url': 'importMetaUrl' },
  })
  const names = Object.keys(createRequire(import.meta.url)(resolve('dist/index.cjs')))
  writeFileSync('dist/index.js', `import library from './index.cjs'\nexport const { ${names.join(', ')} } = library\n`)
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], { stdio: 'inherit' })
  // TypeScript reads the declarations as those of CommonJS because of the package.json beside them; an ES module gets the same ones
  writeFileSync('dist/types/package.json', '{ "type": "commonjs" }\n')
  writeFileSync('dist/index.d.ts', "export * from './types/index.js'\n")
}
