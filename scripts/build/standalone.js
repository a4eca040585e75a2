// SPDX-License-Identifier: Apache-2.0
// npm run build:standalone: hutch without Node, as one static file, build/standalone/hutch.
// node scripts/build/standalone.js --platform linux-arm64: the same for another platform, as build/standalone/linux-arm64/hutch.
// QuickJS-ng executes hutch's TypeScript as bytecode; native/standalone/ takes the place of Node under the C core.
// CC is the compiler for the platform, HOSTCC that for programs of the build (gcc by default).
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { deflateRawSync } from 'node:zlib'
import { makeModules } from './modules.js'
import { directoriesOf, ownPlatform, platforms } from './platforms.js'
import { buildQuickjs, compilerVersion } from './quickjs.js'

// Tests build binaries that begin with a module of theirs: its path and the binary's name.
const { values, positionals } = parseArgs({ options: { platform: { type: 'string', default: ownPlatform } }, allowPositionals: true })
// HUTCH_STANDALONE_SANITIZE=1: with AddressSanitizer and UndefinedBehaviorSanitizer, not static, as build/standalone/hutch-sanitized.
const sanitized = process.env.HUTCH_STANDALONE_SANITIZE !== undefined
const [entry, name = sanitized ? 'hutch-sanitized' : 'hutch'] = positionals
const { platform } = values
const { core: built, standalone: out } = directoriesOf(platform)
const hostCc = process.env.HOSTCC ?? 'gcc'
const cc = process.env.CC ?? (platform === ownPlatform ? hostCc : platforms[platform].compiler)
/** musl, if it is installed: it is smaller than glibc, and its start asks the processor nothing, which a hypervisor would answer slowly. */
const musl = !sanitized && platform === ownPlatform && process.env.CC === undefined && existsSync('/usr/bin/musl-gcc')
const ownCc = musl ? 'musl-gcc' : cc
/** The kernel's headers, which musl's compiler does not look for. */
const kernelHeaders = musl ? ['/usr/include', `/usr/include/${execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim()}`].flatMap((path) => ['-idirafter', path]) : []
const debug = process.env.HUTCH_STANDALONE_DEBUG !== undefined
const sections = ['-ffunction-sections', '-fdata-sections', '-fno-asynchronous-unwind-tables', '-fno-pic']
const speed = sanitized ? ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address'] : ['-Os']
// each block of memory is asked of native/standalone/memory.c
const engineFlags = [...speed, ...sections, ...(sanitized ? [] : ['-D__SANITIZE_ADDRESS__'])]
const warnings = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wstrict-prototypes']

/** The header of Node-API, beside Node or from the package that npm installs. */
function napiHeaders() {
  const beside = join(process.execPath, '../../include/node')
  return existsSync(`${beside}/node_api.h`) ? beside : 'node_modules/node-api-headers/include'
}

const filesIn = (...folders) => folders.flatMap((folder) => readdirSync(`native/${folder}`).filter((name) => name.endsWith('.c')).sort().map((name) => `native/${folder}/${name}`))

/** Compiles sources unless objects of these sources, flags and compiler exist. Another build may do the same at the same time. */
function compile(files, flags, name) {
  const digest = createHash('sha256').update(flags.join(' ')).update(compilerVersion(ownCc))
  for (const folder of readdirSync('native').sort()) {
    if (!statSync(`native/${folder}`).isDirectory()) digest.update(readFileSync(`native/${folder}`))
    else for (const file of readdirSync(`native/${folder}`).filter((file) => /\.[ch]$/.test(file)).sort()) digest.update(readFileSync(`native/${folder}/${file}`))
  }
  const directory = `${out}/objects/${name}-${digest.digest('hex').slice(0, 16)}`
  if (!existsSync(directory)) {
    const objects = mkdtempSync(`${work}/${name}-`)
    const lines = files.map((file) => `${[ownCc, ...warnings, ...flags].join(' ')} -c ${file} -o ${objects}/${file.replaceAll('/', '-')}.o`)
    execFileSync('xargs', ['-P', '2', '-d', '\n', '-I{}', 'sh', '-c', '{}'], { input: lines.join('\n'), stdio: ['pipe', 'inherit', 'inherit'] })
    try {
      renameSync(objects, directory)
    } catch (error) {
      // another build was faster
      if (error.code !== 'ENOTEMPTY') throw error
    }
  }
  return files.map((file) => `${directory}/${file.replaceAll('/', '-')}.o`)
}

/** Modules of the snapshot: those that common commands load. */
const common = new Set(readFileSync('scripts/build/common-modules.txt', 'utf8').split('\n').filter((line) => line.endsWith('.ts')))

/** Commands whose blocks of the snapshot lie side by side. `wait` is not a command: it waits for the end of processes that commands left. */
const layoutCommands = [
  'hutch --version',
  'hutch run -- true',
  'hutch run --sandbox -- true',
  'hutch run --isolate none --memory 50M -- true',
  './bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev true',
  './unshare --pid --fork true',
  ...['cgcreate -g memory:ID', 'cgset -r memory.max=50M ID', 'cgdelete -g memory:ID'].map((words) => `./${words}`),
  // a container of layout-config.json
  ...['create --bundle BUNDLE --pid-file BUNDLE/pid ID', 'start ID', 'state ID', 'exec ID true', 'kill ID KILL'].map((words) => `./hutch-oci --root BUNDLE/state --log BUNDLE/log --log-format json ${words}`),
  'wait',
  './hutch-oci --root BUNDLE/state delete --force ID',
]

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
mkdirSync(`${out}/objects`, { recursive: true })
const work = mkdtempSync(`${out}/work.`)
/** The directory of the layout's commands. What they execute does not depend on the path of the sources. */
const bundle = mkdtempSync(`${tmpdir()}/hutch-layout-`)
process.on('exit', () => [work, bundle].map((path) => rmSync(path, { recursive: true, force: true })))
execFileSync('sh', ['native/build.sh', '--into', built], { stdio: 'inherit', env: { ...process.env, CC: cc } })
const engine = buildQuickjs(ownCc, engineFlags)
// bytecode is the same for every processor of 64 bits that stores the low byte first
const hostEngine = buildQuickjs(hostCc, ['-O2', ...sections])

const modules = await makeModules({ version, arch: platform.replace('linux-', ''), entry })
const absent = [...common].filter((name) => !modules.some((module) => module.name === name))
if (absent.length > 0 && !entry) throw new Error(`scripts/build/common-modules.txt: ${absent.join(', ')}: not a module of the binary`)
const compiler = `${work}/compile-modules`
execFileSync(hostCc, ['-O1', '-w', '-static', '-no-pie', '-I', engine.include, '-o', compiler, 'native/standalone/compile-modules.c', ...hostEngine.objects, '-lm', '-lpthread'], { stdio: 'inherit' })

/** Compiles all modules. `mark` is 1 for the common ones if they have bytecode, 2 if the snapshot has them. */
function compileModules(mark) {
  const sources = modules.map(({ name, code }) => Buffer.from(`${Buffer.byteLength(code)} ${common.has(name) ? mark : 0} ${name}\n${code}`))
  const input = Buffer.concat([...sources, Buffer.from('0 0 -\n'), readFileSync(`${built}/hutch-compiled`)])
  const out = execFileSync(compiler, debug ? ['debug'] : [], { input, maxBuffer: 64 << 20, stdio: ['pipe', 'pipe', 'inherit'] })
  const [count, commonCount] = [out.readUInt32LE(0), out.readUInt32LE(4)]
  const head = out.subarray(0, 12 + 8 * (count + 1) + 4 * commonCount)
  const { count: blocks, packed } = pack(out.subarray(head.length))
  head.writeUInt32LE(blocks, 8)
  return Buffer.concat([head, packed])
}

/** Packs bytes in blocks, for native/standalone/inflate.c. Returns their count, and the offsets of the blocks with the blocks. */
function pack(bytes) {
  const size = 1 << 16
  const blocks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => deflateRawSync(bytes.subarray(i * size, (i + 1) * size), { level: 9 }))
  const offsets = Buffer.alloc(4 * blocks.length)
  for (let i = 1; i < blocks.length; i++) offsets.writeUInt32LE(offsets.readUInt32LE(4 * (i - 1)) + blocks[i - 1].length, 4 * i)
  // inflate.c reads up to 8 bytes beyond the end
  return { count: blocks.length, packed: Buffer.concat([offsets, ...blocks, Buffer.alloc(8)]) }
}

const flags = [...speed, ...(sanitized ? ['-fsanitize=undefined', '-fno-sanitize-recover=all', '-DBUSY_SECONDS=120'] : []), ...sections, '-pthread', '-D_GNU_SOURCE', '-I', napiHeaders(), '-isystem', engine.include, ...kernelHeaders]
// the loop of native/standalone takes the place of the reactor's thread
const core = compile(
  filesIn('lib', 'wire', 'caller', 'node').filter((file) => file !== 'native/node/thread.c'),
  // a cloned child runs in this memory until its exec, so what it marks on the stack is never unmarked
  [...flags, ...(sanitized ? ['--param', 'asan-stack=0'] : [])],
  'core',
)
/** hutch's own part of the engine is small, and each block of memory and each use of an import goes through it. */
const ownFlags = [...flags, ...(sanitized ? [] : ['-O2'])]
const own = compile(
  filesIn('standalone').filter((file) => !/(modules|images|snapshot|packed)\.c$/.test(file)),
  ownFlags,
  'own',
)
for (const [file, more] of [
  ['native/standalone/images.c', `-DHUTCH_BUILD="${built}"`],
  ['native/image.c', `-DHUTCH_INIT_IMAGE="${built}/hutch-init"`],
])
  own.push(compileWith(file, more))

/** Compiles a file that includes another. Returns the object. */
function compileWith(file, more) {
  const object = `${work}/${file.replaceAll('/', '-')}.o`
  execFileSync(ownCc, [...warnings, ...ownFlags, more, '-c', file, '-o', object], { stdio: 'inherit' })
  return object
}

/** Links the program with this bytecode, snapshot and packed part of the snapshot. They are behind everything else, so that the rest has the same addresses in each link. */
function link(file, bytecode, { area, packed }) {
  const last = [
    ['modules', 'BYTECODE', bytecode],
    ['packed', 'PACKED', packed],
    ['snapshot', 'SNAPSHOT', area],
  ].map(([name, macro, bytes]) => {
    writeFileSync(`${work}/${name}`, bytes)
    return compileWith(`native/standalone/${name}.c`, `-DHUTCH_${macro}="${work}/${name}"`)
  })
  const options = '-Wl,--wrap=gettimeofday,--gc-sections,--build-id=none,-z,noseparate-code,--section-start=hutch_bytecode=0x10000000,--section-start=hutch_snapshot=0x20000000'
  execFileSync(ownCc, [...(sanitized ? ['-fsanitize=address,undefined'] : ['-static']), '-no-pie', '-pthread', ...(debug || sanitized ? [] : ['-s']), options, '-o', file, ...own, ...last, ...core, ...engine.objects, '-lm'], { stdio: 'inherit' })
}

/** Says which commands of the layout failed on this machine: the binary does not have their blocks side by side. */
function reportFailed(bits) {
  const failed = layoutCommands.filter((words) => words !== 'wait').filter((_, i) => bits & (2 << i))
  if (failed.length > 0) console.error(`build/standalone: these commands failed here, and are slower in this binary: ${failed.join(', ')}; remedy: build as root, with cgroups that can be written`)
}

/** Returns the snapshot, which a first program makes; an empty one with sanitizers, and for another platform. */
function makeSnapshot() {
  const none = { area: Buffer.alloc(4096), packed: Buffer.alloc(4) }
  if (sanitized || platform !== ownPlatform) return none
  const area = Buffer.alloc(8 << 20)
  area[0] = 1
  const maker = `${work}/maker`
  link(maker, compileModules(1), { ...none, area })
  const make = (words, input) => execFileSync(resolve(maker), words, { input, cwd: bundle, maxBuffer: 64 << 20, stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HUTCH_DEBUG: '1' } })
  const config = readFileSync('scripts/build/layout-config.json')
  const file = `${out}/objects/layout-${createHash('sha256').update(readFileSync(maker)).update(layoutCommands.join()).update(config).digest('hex').slice(0, 16)}`
  if (!existsSync(file)) {
    writeFileSync(`${bundle}/config.json`, config)
    const words = layoutCommands.join(' ::: ').replaceAll('BUNDLE', bundle).replaceAll('ID', `hutch-layout-${String(process.pid).padStart(7, '0')}`)
    writeFileSync(`${work}/layout`, make(words.split(' '), ''))
    renameSync(`${work}/layout`, file)
  }
  const layout = readFileSync(file)
  reportFailed(layout.readUInt32LE(4))
  const memory = make([], layout)
  const end = 8 + Number(memory.readBigUInt64LE())
  const { count, packed } = pack(memory.subarray(8, end))
  return { area: memory.subarray(end), packed: Buffer.concat([new Uint8Array(Uint32Array.of(count).buffer), packed]) }
}

const snapshot = makeSnapshot()
const rest = compileModules(snapshot.packed.length > 4 ? 2 : 1)
link(`${work}/${name}`, rest, snapshot)
renameSync(`${work}/${name}`, `${out}/${name}`)
// with HUTCH_DEBUG=1, the binary prints the numbers of the modules that it reads
writeFileSync(`${out}/${name}.modules`, modules.map((module) => `${module.name}\n`).join(''))
const sizes = { 'the snapshot': snapshot.area, 'its packed part': snapshot.packed, 'bytecode of other modules': rest }
const parts = Object.entries(sizes).map(([part, { length }]) => `${length} ${part}`)
console.log(`${out}/${name}: ${statSync(`${out}/${name}`).size} bytes: ${parts.join(', ')}; ${common.size} of ${modules.length} modules are in the snapshot`)
