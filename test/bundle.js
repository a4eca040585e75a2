// SPDX-License-Identifier: Apache-2.0
// Translates the tests of the real kernel once, so that no file of them, on this host or in a VM, loads hundreds of modules through vitest:
// that takes seconds a file, and in a VM ten times that. vitest.config.ts runs them with BUNDLED=1.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** Packages are found from here, and no tool looks here for sources. */
export const bundledTests = 'node_modules/.cache/hutch-tests'

/** Modules find files beside their sources. */
const urlsOfSources = {
  name: 'urls-of-sources',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      if (!text.includes('import.meta.')) return undefined
      const contents = text
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
      return { loader: 'ts', contents }
    })
  },
}

export async function bundleTests() {
  rmSync(bundledTests, { recursive: true, force: true })
  const tests = readdirSync('test', { recursive: true }).filter((name) => /^(?!unit|rules).*\.test\.ts$/.test(name))
  await build({
    entryPoints: ['support/leaks.ts', 'support/test-groups.ts', ...tests].map((name) => `test/${name}`),
    outdir: bundledTests,
    outbase: 'test',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    bundle: true,
    splitting: true,
    packages: 'external',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'warning',
    plugins: [urlsOfSources],
  })
}
