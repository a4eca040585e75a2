// SPDX-License-Identifier: Apache-2.0
// The library, by esbuild and tsc: dist/index.cjs, dist/index.js, and the types for both. Called by build.js.
// There is one copy of the code, since the addon knows one listener: dist/index.js only passes on what dist/index.cjs exports.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
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
  removeUnused(resolve('dist/types'))
  // TypeScript reads the declarations as those of CommonJS because of the package.json beside them; an ES module gets the same ones
  writeFileSync('dist/types/package.json', '{ "type": "commonjs" }\n')
  writeFileSync('dist/index.d.ts', "export * from './types/index.js'\n")
}

/** Removes the declarations that index.d.ts does not lead to: almost half of them are of internal modules. */
function removeUnused(folder) {
  const used = new Set()
  const add = (file) => {
    if (used.has(file)) return
    used.add(file)
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:\bfrom |\bimport\(?)["'](\.[^"']+)\.ts["']/g)) add(resolve(dirname(file), `${path}.d.ts`))
  }
  add(`${folder}/index.d.ts`)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'))
  for (const file of files.map((name) => `${folder}/${name}`)) if (!used.has(file)) rmSync(file)
}
