// SPDX-License-Identifier: Apache-2.0
// npm run build:standalone: hutch without Node, as one static file, build/standalone/hutch.
// QuickJS-ng executes hutch's TypeScript as bytecode; native/standalone/ takes the place of Node under the C core.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeModules } from './modules.js'
import { buildQuickjs } from './quickjs.js'

// Tests build binaries that begin with a module of theirs: its path and the binary's name.
const [entry, name = 'hutch'] = process.argv.slice(2)
const out = 'build/standalone'
const cc = process.env.CC ?? 'gcc'
const debug = process.env.HUTCH_STANDALONE_DEBUG !== undefined
const sections = ['-ffunction-sections', '-fdata-sections', '-fno-asynchronous-unwind-tables', '-fno-pic']
const engineFlags = ['-O2', ...sections]
const warnings = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wstrict-prototypes']

/** The header of Node-API, beside Node or from the package that npm installs. */
function napiHeaders() {
  const beside = join(process.execPath, '../../include/node')
  return existsSync(`${beside}/node_api.h`) ? beside : 'node_modules/node-api-headers/include'
}

const filesIn = (...folders) => folders.flatMap((folder) => readdirSync(`native/${folder}`).filter((name) => name.endsWith('.c')).map((name) => `native/${folder}/${name}`))

/** Compiles sources whose objects are older than the sources' digest says. */
function compile(files, flags, name) {
  const digest = createHash('sha256').update(flags.join(' ')).update(execFileSync(cc, ['--version']))
  for (const folder of readdirSync('native')) {
    if (!statSync(`native/${folder}`).isDirectory()) digest.update(readFileSync(`native/${folder}`))
    else for (const file of readdirSync(`native/${folder}`).filter((file) => /\.[ch]$/.test(file))) digest.update(readFileSync(`native/${folder}/${file}`))
  }
  const directory = `${out}/${name}`
  const objects = files.map((file) => `${directory}/${file.replaceAll('/', '-')}.o`)
  const key = digest.digest('hex')
  if (existsSync(`${directory}/digest`) && readFileSync(`${directory}/digest`, 'utf8') === key) return objects
  mkdirSync(directory, { recursive: true })
  const lines = files.map((file, i) => `${[cc, ...warnings, ...flags].join(' ')} -c ${file} -o ${objects[i]}`)
  execFileSync('xargs', ['-P', '2', '-d', '\n', '-I{}', 'sh', '-c', '{}'], { input: lines.join('\n'), stdio: ['pipe', 'inherit', 'inherit'] })
  writeFileSync(`${directory}/digest`, key)
  return objects
}

/** Modules that the end of a job needs: they are read while it runs. */
const readAhead = /^(verdict\/(usage|collect-end|conclude|facts|decide|make-cause|held|limits|limit-words|words|remedies|exhausted|outcome)|run\/(op-errors|stdio))\.ts$/

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const arch = execFileSync(cc, ['-dumpmachine'], { encoding: 'utf8' }).startsWith('aarch64') ? 'arm64' : 'x64'
mkdirSync(out, { recursive: true })
execFileSync('sh', ['native/build.sh'], { stdio: 'inherit' })
const engine = buildQuickjs(cc, engineFlags)

const modules = await makeModules({ version, arch, entry })
const compiler = `${out}/compile-modules`
execFileSync(cc, ['-O1', '-w', '-static', '-no-pie', '-I', engine.include, '-o', compiler, 'native/standalone/compile-modules.c', ...engine.objects, '-lm', '-lpthread'], { stdio: 'inherit' })
const input = Buffer.concat(modules.map(({ name, code }) => Buffer.from(`${Buffer.byteLength(code)} ${name === 'run/follow.ts' ? 2 : readAhead.test(name) ? 1 : 0} ${name}\n${code}`)))
const bytecode = execFileSync(compiler, debug ? ['debug'] : [], { input, maxBuffer: 64 << 20, stdio: ['pipe', 'pipe', 'inherit'] })
writeFileSync(`${out}/${name}.bc`, bytecode)

const flags = ['-O2', ...sections, '-pthread', '-D_GNU_SOURCE', '-I', napiHeaders(), '-isystem', engine.include]
// the loop of native/standalone takes the place of the reactor's thread
const core = compile(
  filesIn('lib', 'wire', 'caller', 'node').filter((file) => file !== 'native/node/thread.c'),
  flags,
  'core',
)
const own = compile(
  filesIn('standalone').filter((file) => !/(modules|images)\.c$/.test(file)),
  flags,
  'own',
)
for (const [file, more] of [
  ['native/standalone/modules.c', `-DHUTCH_BYTECODE="${out}/${name}.bc"`],
  ['native/standalone/images.c', '-DHUTCH_BUILD="build"'],
  ['native/image.c', '-DHUTCH_INIT_IMAGE="build/hutch-init"'],
]) {
  const object = `${out}/${file.replaceAll('/', '-')}.o`
  execFileSync(cc, [...warnings, ...flags, more, '-c', file, '-o', object], { stdio: 'inherit' })
  own.push(object)
}
const link = ['-static', '-no-pie', '-pthread', ...(debug ? [] : ['-s']), '-Wl,--gc-sections,--build-id=none,-z,noseparate-code']
execFileSync(cc, [...link, '-o', `${out}/${name}.new`, ...own, ...core, ...engine.objects, '-lm'], { stdio: 'inherit' })
renameSync(`${out}/${name}.new`, `${out}/${name}`)
console.log(`${out}/${name}: ${statSync(`${out}/${name}`).size} bytes, ${bytecode.length} of them bytecode of ${modules.length} modules`)
