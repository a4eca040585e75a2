// SPDX-License-Identifier: Apache-2.0
// The CLI, by esbuild: dist/hutch.cjs, dist/cli.cjs (src/cli/node/loader.ts), its parts in dist/cli/, each with its bytecode, and the man pages.
// Called by build.js. A part is a CommonJS file with all that it needs: main.ts, and each file that another loads by import().
// scripts/release.js builds the CLI of the package, which has few parts and no bytecode: there, most commands run without Node.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { build, transform } from 'esbuild'

const sources = `${import.meta.dirname}/../../src`
/** Identifiers are kept, for stacks of errors; lines stay short enough for their numbers to help. */
const minified = { minifyWhitespace: true, minifySyntax: true, lineLimit: 120, charset: 'ascii' }
/** Modules that Node has loaded before it starts a script. */
const loadedByNode = ['node:buffer', 'node:events', 'node:fs', 'node:path', 'node:timers', 'node:url']

/** Commands of Kubernetes, with the parser of YAML, which no other command loads. What runs a command is apart. */
const kubernetes = { kube: /^(cli\/(kube$|node\/kube-explain)|kube\/(?!run-))/ }

/**
 * Files that share a part, by their paths below src/: they have most of their modules in common. What is started often is a part of
 * its own, with nothing in it that it does not need.
 */
const quick = {
  groups: /^(cli\/cgroup\/(?!exec)|dropin\/cgroup-tools\/(?!cgexec)|cli\/rules|cgroup\/)/,
  ...kubernetes,
  monitor: /^(cli\/(node\/(?!advise)|stats|ps|last-run)|monitor\/)/,
  others: /^(cli\/(why|doctor|compile|tour|hog|links|completion|seccomp-report|other-options)|why\/|dropin\/util-linux\/lsns)/,
}

/** Almost all files in one part: the smallest, and as fast without bytecode. */
const small = { ...kubernetes, all: /./ }

/** Adds each file that is loaded by import() to `parts`: as a part of its own, or to the part of its family. */
function partsApart(parts, families) {
  return {
    name: 'parts-apart',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined
        const file = resolve(resolveDir, path)
        const below = relative(sources, file).replace(/\.ts$/, '')
        const name = below.replaceAll('/', '-')
        const family = Object.keys(families).find((key) => families[key].test(below))
        const members = parts.get(family ?? name) ?? new Map()
        parts.set(family ?? name, members.set(name, file))
        return { path: family ? `./${family}.cjs#${name}` : `./${name}.cjs`, external: true }
      })
      onResolve({ filter: /^family:/ }, ({ path }) => ({ path, namespace: 'family' }))
      onLoad({ filter: /^family:/, namespace: 'family' }, ({ path }) => {
        // esbuild finds them in any order; sorted, two builds have the same bytes
        const members = [...parts.get(path.slice('family:'.length))].sort(([a], [b]) => (a < b ? -1 : 1))
        const contents = members.map(([name, file]) => `exports[${JSON.stringify(name)}] = () => require(${JSON.stringify(file)})`)
        return { contents: contents.join('\n'), resolveDir: sources }
      })
    },
  }
}

/** Bundles the parser of YAML as for browsers: without its command line, and with short names inside. */
const shortYaml = {
  name: 'short-yaml',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^yaml$/ }, () => ({ path: 'yaml', namespace: 'yaml' }))
    onLoad({ filter: /./, namespace: 'yaml' }, async () => {
      const used = "export { Composer, isCollection, isNode, LineCounter, Parser } from 'yaml'"
      const { outputFiles } = await build({
        stdin: { contents: used, resolveDir: sources },
        bundle: true,
        minify: true,
        platform: 'browser',
        format: 'esm',
        write: false,
      })
      return { contents: outputFiles[0].text }
    })
  },
}

/** Loads a module of Node when something of it is first used: what `require` gave is an object of getters. */
function loadLate(code) {
  const required = /\b(import_\w+) = (?:__toESM\()?require\("(node:[\w/]+)"\)(?:, 1\))?;/g
  return code.replace(required, (statement, name, module) => {
    if (loadedByNode.includes(module)) return statement
    const used = new Set([...code.matchAll(new RegExp(`\\b${name}\\.(\\w+)`, 'g'))].map(([, key]) => key))
    if (used.has('default') || new RegExp(`\\b${name}\\b(?!\\.| = |,|;)`).test(code))
      throw new Error(`${module}: import its names, one by one`)
    return `${name} = {${[...used].map((key) => `get ${key}() { return require("${module}").${key} }`)}};`
  })
}

/** A page: what a browser gets is in the command's own file. */
async function buildPage(pageFolder, format) {
  const browser = { bundle: true, minify: true, write: false, target: 'es2022', logLevel: 'warning' }
  const [js, css] = await Promise.all(
    ['page.ts', 'page.css'].map((name) => build({ ...browser, format, entryPoints: [`${pageFolder}/${name}`] })),
  )
  return {
    html: readFileSync(`${pageFolder}/index.html`, 'utf8'),
    css: css.outputFiles[0].text,
    js: js.outputFiles[0].text,
  }
}

/** Builds the CLI of a checkout, in dist/: it starts as fast as Node can. */
export async function buildCli(shared) {
  const command = await prepareCommand(shared)
  const parts = await buildFiles(command, 'dist', quick)
  await buildManPages(command)
  storeBytecode([...parts.keys()])
}

/** Builds the CLI of the package. */
export async function buildSmallCli(shared, folder) {
  // short identifiers: a quarter of the package's CLI; its library and its binary keep theirs
  await buildFiles(await prepareCommand(shared), folder, small, { ...minified, minifyIdentifiers: true })
}

async function prepareCommand(shared) {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  return {
    ...shared,
    format: 'cjs',
    // optional, and loaded by hutch record and hutch replay alone
    external: ['node-sqlite3-wasm'],
    // require: import() would bring Node's loader of modules along, 20 ms
    supported: { 'dynamic-import': false },
    define: {
      'import.meta.url': 'importMetaUrl',
      HUTCH_VERSION: JSON.stringify(version),
      DASHBOARD_PAGE: JSON.stringify(await buildPage('src/ui/dashboard/page', 'esm')),
      // a script in the page itself must not be a module: pages are opened from files, too
      ADVICE_PAGE: JSON.stringify(await buildPage('src/ui/advice/page', 'iife')),
    },
  }
}

/** Builds the loader and all parts. */
async function buildFiles(command, folder, families, short = minified) {
  const loader = { entryPoints: ['src/cli/node/loader.ts'], outfile: `${folder}/cli.cjs` }
  await build({ ...command, ...minified, ...loader, banner: { js: '#!/usr/bin/env node' } })
  cpSync('src/cli/node/hutch.sh', `${folder}/hutch.cjs`)
  for (const name of ['cli.cjs', 'hutch.cjs']) chmodSync(`${folder}/${name}`, 0o755)
  return await buildParts(command, `${folder}/cli`, families, short)
}

/** Builds all parts. Those that a part loads, and further members of families, are found while it is built. */
async function buildParts(command, folder, families, short) {
  const parts = new Map([['main', new Map([['main', `${sources}/cli/main.ts`]])]])
  const built = new Map()
  mkdirSync(folder, { recursive: true })
  for (;;) {
    const found = [...parts].filter(([name, members]) => built.get(name) !== members.size)
    if (found.length === 0) return parts
    for (const [name, members] of found) built.set(name, members.size)
    const { outputFiles } = await build({
      ...command,
      entryPoints: Object.fromEntries(
        found.map(([name, members]) => [name, name in families ? `family:${name}` : members.get(name)]),
      ),
      outdir: folder,
      outExtension: { '.js': '.cjs' },
      plugins: [partsApart(parts, families), shortYaml],
      write: false,
    })
    for (const { path, text } of outputFiles) writeFileSync(path, await finish(text, short))
  }
}

/** A part as the loader calls it: a function of these names. */
async function finish(code, options) {
  const { code: short } = await transform(loadLate(code), options)
  const part = `(function(module,exports,require,importMetaUrl){${short}})`
  if (/[^\0-\x7f]/.test(part)) throw new Error('a part must be ASCII: the loader reads it so')
  return part
}

/** Pages of man(1), from the tables of the commands. */
async function buildManPages(command) {
  const program = 'dist/man-pages.cjs'
  const banner = { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href" }
  await build({ ...command, entryPoints: ['src/cli/help/man-pages.ts'], outfile: program, banner })
  execFileSync(process.execPath, [program, 'dist/man/man1'], { stdio: 'inherit' })
  rmSync(program)
}

/**
 * Runs what is started most often, and stores the bytecode of each function that was called. Of other parts it is that of
 * their first run, without functions. A run that the machine refuses still leaves what it called until then.
 */
function storeBytecode(parts) {
  const recorder = `${import.meta.dirname}/store-bytecode.cjs`
  execFileSync(process.execPath, [recorder, ...parts.map((name) => `dist/cli/${name}.cjs`)], { stdio: 'inherit' })
  const often = [['--version'], ['--help'], ['run', '--help'], ['run', '--', 'true']]
  const options = { stdio: 'ignore', env: { ...process.env, HUTCH_STATE: '0' } }
  for (const args of often) spawnSync(process.execPath, ['--require', recorder, 'dist/cli.cjs', ...args], options)
}
