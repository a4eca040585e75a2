// SPDX-License-Identifier: Apache-2.0
// npm run build: the C core by gcc (native/build.sh), the library and the CLI by esbuild, the types by tsc.
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }

rmSync('dist', { recursive: true, force: true })
execFileSync('sh', ['native/build.sh'], { stdio: 'inherit' })
await build({ ...shared, entryPoints: ['src/index.ts'], format: 'esm', outfile: 'dist/index.js' })
// Each command is one CommonJS file with all that it needs: Node starts that a few milliseconds sooner than a graph of modules,
// and reads all of a file before it runs any. `hutch run` is in the first one.
const cliFolder = `${import.meta.dirname}/src/cli`
const entries = new Map()
/** main.ts and dropin/table.ts name what they load; run/connection.ts, run/job.ts, cli/run.ts and bwrap.ts what few need; `hutch run` alone stays in. */
const commandsApart = {
  name: 'commands-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ kind, importer, path, resolveDir }) => {
      if (
        kind !== 'dynamic-import' ||
        !/\/(main|table|connection|job|bwrap|run)\.ts$/.test(importer) ||
        path === './run.ts'
      )
        return undefined
      const file = resolve(resolveDir, path)
      const inCli = file.startsWith(`${cliFolder}/`)
      const part = relative(inCli ? cliFolder : resolve(cliFolder, '..'), file)
      const name = `${inCli ? 'command-' : ''}${part.replaceAll('/', '-').replace(/\.ts$/, '')}`
      entries.set(name, file)
      return { path: `./${name}.cjs`, external: true }
    })
  },
}
/** The dashboard's page: what a browser gets is in the command's own file. */
const pageFolder = 'src/dashboard/page'
const browser = { bundle: true, minify: true, write: false, target: 'es2022', logLevel: 'warning' }
const [pageJs, pageCss] = await Promise.all(
  ['page.ts', 'page.css'].map((name) => build({ ...browser, format: 'esm', entryPoints: [`${pageFolder}/${name}`] })),
)
const page = {
  html: readFileSync(`${pageFolder}/index.html`, 'utf8'),
  css: pageCss.outputFiles[0].text,
  js: pageJs.outputFiles[0].text,
}
const banner = "const importMetaUrl = require('node:url').pathToFileURL(__filename).href"
const command = {
  ...shared,
  format: 'cjs',
  // optional, and loaded by hutch record and hutch replay alone
  external: ['node-sqlite3-wasm'],
  // require: import() would bring Node's loader of modules along, 20 ms
  supported: { 'dynamic-import': false },
  define: {
    'import.meta.url': 'importMetaUrl',
    HUTCH_VERSION: JSON.stringify(version),
    DASHBOARD_PAGE: JSON.stringify(page),
  },
}
await build({
  ...command,
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/cli.cjs',
  banner: { js: `#!/usr/bin/env node\n${banner}` },
  plugins: [commandsApart],
})
// those that a command loads are found while it is built
for (let built = 0; built < entries.size; ) {
  const found = [...entries].slice(built)
  built = entries.size
  await build({
    ...command,
    entryPoints: Object.fromEntries(found),
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
    banner: { js: banner },
    plugins: [commandsApart],
  })
}
chmodSync('dist/cli.cjs', 0o755)
// man pages, from the tables of the commands
await build({
  ...command,
  entryPoints: ['src/cli/help/man-pages.ts'],
  outfile: 'dist/man-pages.cjs',
  banner: { js: banner },
})
execFileSync(process.execPath, ['dist/man-pages.cjs', 'dist/man/man1'], { stdio: 'inherit' })
rmSync('dist/man-pages.cjs')
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], { stdio: 'inherit' })
