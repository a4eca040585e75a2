// SPDX-License-Identifier: Apache-2.0
// Turns hutch's TypeScript into modules for the binary without Node. Called by standalone.js.
// Each module is a function of ($exports, $late, $import, $define). It gets the exports of another module by a function that loads
// that module at the first call, so that a command reads only what it executes.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, relative, resolve } from 'node:path'
import { build, transform } from 'esbuild'

const sources = resolve(import.meta.dirname, '../../src')
const globals = 'system/standalone/globals.ts'
/** Commands that need Node are started in Node's own command line. */
const nodeCommand = /^cli\/node\/([\w-]+)\.ts$/

/** The file that an import means: some files of src/system/ and src/monitor/recording/ have a twin in the folder standalone/ there. */
function find(path, importer) {
  const file = relative(sources, resolve(sources, dirname(importer), path))
  const twin = file.replace(/^(system|monitor\/recording)\/(?:node\/)?([\w-]+\.ts)$/, '$1/standalone/$2')
  return twin !== importer && existsSync(resolve(sources, twin)) ? twin : file
}

/** What the help and the completion of a command say, as its own file has it. */
async function describeCommand(name) {
  const { outputFiles } = await build({
    stdin: { contents: `export { command } from './${name}.ts'`, resolveDir: resolve(sources, 'cli/node') },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    external: ['node-sqlite3-wasm'],
    define: { DASHBOARD_PAGE: '{}', ADVICE_PAGE: '{}', HUTCH_VERSION: '""', 'import.meta.url': '"file:///"' },
    logLevel: 'error',
  })
  const module = { exports: {} }
  new Function('module', 'exports', 'require', outputFiles[0].text)(module, module.exports, createRequire(import.meta.url))
  const { command } = module.exports
  return JSON.stringify(command)
}

/** Removes esbuild's definitions of its helpers at the start of a file. */
function withoutHelpers(code) {
  let rest = code
  while (/^var __\w+ = /.test(rest)) {
    const line = rest.indexOf('\n')
    const ends = rest[line - 1] === ';' ? [line + 1] : ['\n};\n', '\n));\n'].map((end) => rest.indexOf(end) + end.length).filter((at) => at > 4)
    rest = rest.slice(Math.min(...ends))
  }
  return rest
}

/** Replaces a module's exports: functions first, constants at the end, getters for what may change. */
function withExports(code, file) {
  const found = /^var (\w+_exports) = \{\};\n__export\(\1, \{\n([^]*?)\n\}\);\nmodule\.exports = __toCommonJS\(\1\);\n/m.exec(code)
  if (!found) return { code, names: new Set() }
  const body = code.replace(found[0], '')
  const exported = [...found[2].matchAll(/^ {2}("?[\w-]+"?): \(\) => ([\w$.]+),?$/gm)].map(([, name, local]) => [name, local])
  if (exported.length !== found[2].split('\n').length) throw new Error(`${file}: exports that scripts/build/modules.js does not know`)
  const first = []
  const last = []
  const getters = []
  for (const [name, local] of exported)
    if (new RegExp(`^(async )?function\\*? ${local}\\(`, 'm').test(body)) first.push(`$exports.${name} = ${local};`)
    else if (new RegExp(`^(const|class) ${local}\\b`, 'm').test(body)) last.push(`$exports.${name} = ${local};`)
    else getters.push(`${name}: () => ${local}`)
  if (getters.length > 0) first.push(`$define($exports, { ${getters.join(', ')} });`)
  return { code: `${first.join('\n')}\n${body}\n${last.join('\n')}\n`, names: new Set(exported.map(([name]) => name)) }
}

/** Replaces the ways in which a module gets others. `numberOf` gives each file its number. */
function withImports(code, file, numberOf) {
  const uses = []
  let out = code.replace(/Promise\.resolve\(\)\.then\(\(\) => __toESM\(require\("([^"]+)"\)\)\)/g, (_, path) => `$import(${numberOf(find(path, file))})`)
  const names = []
  out = out.replace(/^var (import_\w+) = require\("([^"]+)"\);$/gm, (_, name, path) => {
    const found = find(path, file)
    names.push(name)
    for (const [, used] of code.matchAll(new RegExp(`\\b${name}\\.(\\w+)`, 'g'))) uses.push([found, used])
    return `const ${name} = $late(${numberOf(found)});`
  })
  if (names.length > 0) {
    const all = names.sort((a, b) => b.length - a.length).join('|')
    out = out
      .replace(new RegExp(`\\bnew (${all})\\.`, 'g'), 'new ($1())._')
      .replace(new RegExp(`\\b(${all})\\.`, 'g'), '$1().')
      .replace(/\bnew \((\w+)\(\)\)\._/g, 'new ($1()).')
  }
  const left = /\brequire\(|__toESM|__reExport|__export|import\.meta/.exec(out.replace(/^\s*(\/\/|\*|\/\*).*$/gm, ''))
  if (left) throw new Error(`${file}: ${left[0]} is left`)
  return { code: out, uses }
}

/** Returns all modules, `{ name, code }` each: the globals, the entry (a path from src/), and what they load. */
export async function makeModules({ version, arch, entry = 'cli/main.ts' }) {
  const numbers = new Map()
  const numberOf = (file) => {
    if (!numbers.has(file)) numbers.set(file, numbers.size)
    return numbers.get(file)
  }
  for (const file of [globals, entry]) numberOf(file)
  const modules = []
  const exported = new Map()
  const used = []
  for (const file of numbers.keys()) {
    const command = nodeCommand.exec(file)
    const source = command
      ? `import { nodeCommand } from '../standalone/node-command.ts'\nexport const command = nodeCommand(${await describeCommand(command[1])})`
      : readFileSync(resolve(sources, file), 'utf8')
    const { code: plain } = await transform(source, {
      loader: 'ts',
      format: 'cjs',
      target: 'es2023',
      supported: { 'dynamic-import': false },
      define: {
        HUTCH_VERSION: JSON.stringify(version),
        HUTCH_ARCH: JSON.stringify(arch),
        'process.platform': '"linux"',
        'import.meta.url': '"file:///usr/share/hutch/src/cli/main.ts"',
      },
    })
    if (/["']node:/.test(plain)) throw new Error(`${file}: a module for the binary without Node imports from Node`)
    const absent = /Math\.(a?(cos|sin|tan)h?|atan2|cbrt|expm1|log1p)\b/.exec(plain)
    if (absent) throw new Error(`${file}: ${absent[0]} is not in the binary without Node (native/standalone/no-trigonometry.c)`)
    if (/Math\.random\b/.test(plain)) throw new Error(`${file}: Math.random would return the same in each start (native/standalone/snapshot.c)`)
    const { code: withOwn, names } = withExports(withoutHelpers(plain), file)
    const { code, uses } = withImports(withOwn, file, numberOf)
    exported.set(file, names)
    used.push(...uses.map(([from, name]) => [file, from, name]))
    const { code: short } = await transform(`$module(function ($exports, $late, $import, $define) { "use strict";\n${code}})`, {
      minify: process.env.HUTCH_STANDALONE_DEBUG === undefined,
      target: 'es2023',
    })
    // the call kept esbuild from removing a function without a use
    modules.push({ name: file, code: short.trim().replace(/^\$module/, '').replace(/;$/, '') })
  }
  for (const [file, from, name] of used)
    if (!exported.get(from).has(name)) throw new Error(`${file}: ${from} does not export ${name}`)
  return modules
}
