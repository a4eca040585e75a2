// SPDX-License-Identifier: Apache-2.0
// The package of a release: what is in it, and that it runs where it is installed. `npm run test:runtimes` also tries other runtimes.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { skip } from '../support/requires.ts'
import { installFromGit } from './from-git.ts'
import { copySources, type Installed, install } from './installed.ts'
import { fetchRuntime, type Runtime } from './runtimes.ts'

let installed: Installed
const root = () => `${installed.folder}/node_modules/hutch`

beforeAll(async () => {
  installed = await install()
}, 300_000)

afterAll(() => installed.remove())

const files = () =>
  readdirSync(root(), { recursive: true, encoding: 'utf8' }).filter((name) => statSync(`${root()}/${name}`).isFile())

test('it has at most 8 MB, with everything that it names', () => {
  const names = files()
  const size = names.reduce((sum, name) => sum + statSync(`${root()}/${name}`).size, 0)
  expect(size).toBeLessThan(8_000_000)
  expect(names.filter((name) => /\.cache$|hutch-init$|^build\//.test(name))).toEqual([])
  const { bin, exports, homepage, repository, keywords, cpu } = JSON.parse(
    readFileSync(`${root()}/package.json`, 'utf8'),
  )
  const entries = Object.values({ ...exports['.'].import, ...exports['.'].require, bin: bin.hutch }) as string[]
  const binaries = ['linux-x64', 'linux-arm64'].flatMap((platform) =>
    ['hutch.node', 'hutch-compiled', 'bin/hutch'].map((name) => `prebuilt/${platform}/${name}`),
  )
  const documents = [
    'LICENSE',
    'THIRD-PARTY.md',
    'README.md',
    'CHANGELOG.md',
    'docs/options.md',
    'examples/memhog-demo.sh',
  ]
  for (const path of [...entries, ...binaries, ...documents])
    expect([path, existsSync(`${root()}/${path}`)]).toEqual([path, true])
  expect([homepage, repository.url, keywords.length > 0, cpu]).toEqual([
    expect.any(String),
    expect.any(String),
    true,
    ['x64', 'arm64'],
  ])
})

test('a second clone, at another path, builds a tarball with the same bytes', { timeout: 600_000 }, async () => {
  const clone = `${installed.folder}/a second/clone`
  copySources(clone)
  symlinkSync(realpathSync('node_modules'), `${clone}/node_modules`)
  const staging = `${clone}/release/package`
  const build = (...args: string[]) =>
    execFileSync(process.execPath, args, { cwd: clone, stdio: ['ignore', 'ignore', 'inherit'] })
  build('build.js')
  // The binaries for arm64 come from the first clone: to build them twice needs as much time as all the rest.
  build('scripts/release.js', 'release', 'linux-x64')
  cpSync(`${installed.release}/package/prebuilt/linux-arm64`, `${staging}/prebuilt/linux-arm64`, { recursive: true })
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent'], { cwd: `${staging}` })
  const tarball = readdirSync(installed.release).find((name) => name.endsWith('.tgz'))
  const sum = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
  const differing = files().filter((name) => sum(`${root()}/${name}`) !== sum(`${staging}/${name}`))
  expect(differing).toEqual([])
  expect(sum(`${staging}/${tarball}`)).toBe(sum(`${installed.release}/${tarball}`))
})

test('a build without gcc names gcc and the package', async () => {
  const { status, output } = await installed.call('sh', [`${process.cwd()}/native/build.sh`, '--into', 'never'])
  expect([status, output]).toEqual([
    1,
    expect.stringMatching(/gcc not found\n {2}remedy: apt-get install gcc .*npm install hutch/),
  ])
})

test('npx hutch tour passes without a compiler', async () => {
  expect((await installed.call('sh', ['-c', '! command -v gcc && ! command -v cc'])).status).toBe(0)
  const { status, output } = await installed.call('npx', ['hutch', 'tour'])
  expect([status, output.match(/^.*✗.*$/gm)]).toEqual([0, null])
})

/** The output of library.mjs. */
const allChecks = /^(ok: .*\n){15}$/

/** The runtimes with the numbers of jobs at once and in a row. */
const runtimes: readonly [Runtime | 'node 20', number, number][] = process.env.RUNTIMES
  ? [
      ['node 20', 500, 10_000],
      ['node 22', 500, 2000],
      ['node 24', 500, 2000],
      ['node 26', 500, 2000],
      ['bun 1.4', 500, 10_000],
      ['deno 2', 500, 2000],
    ]
  : [
      ['node 20', 10, 10],
      ['node 24', 10, 10],
    ]

test.for(runtimes)('import and require: %s', { timeout: 1_200_000 }, async ([name, atOnce, inARow]) => {
  const program = name === 'node 20' ? process.execPath : fetchRuntime(name)
  // With a young heap of fixed size, memory that grows is memory that leaks. Node 26 lets it grow by 60 MiB in 4,000 jobs.
  const start = name === 'deno 2' ? ['run', '-A'] : name === 'bun 1.4' ? [] : ['--expose-gc', '--max-semi-space-size=1']
  const imported = await installed.call(program, [...start, 'library.mjs', `${atOnce}`, `${inARow}`])
  expect(imported).toEqual({ status: 0, output: expect.stringMatching(allChecks) })
  const script = `const { run } = require('hutch')
import('hutch').then(async (library) => console.log(library.run === run, (await run('echo', ['required'])).stdout))`
  writeFileSync(`${installed.folder}/require.cjs`, script)
  expect(await installed.call(program, [...start, 'require.cjs'])).toEqual({ status: 0, output: 'true required\n\n' })
})

const sources = process.env.RUNTIMES ? ['git+file://'] : []

test.for(sources)('npm install from %s builds the package', { timeout: 600_000 }, async (_, context) => {
  const { folder, missing, call, remove } = await installFromGit()
  context.onTestFinished(remove)
  const reason = `npm's cache lacks development dependencies, and the registry is out of reach: ${missing}`
  // as in test/run.js, a skip is a failure in CI
  if (missing !== undefined && process.env.CI) throw new Error(reason)
  if (missing !== undefined) skip(context, reason)
  expect(readdirSync(`${folder}/node_modules`).filter((name) => /^(vitest|esbuild|typescript)$/.test(name))).toEqual([])
  expect(await call(process.execPath, ['library.mjs', '10', '10'])).toEqual({
    status: 0,
    output: expect.stringMatching(allChecks),
  })
  const script = "require('hutch').run('echo', ['required']).then(({ stdout }) => console.log(stdout))"
  expect(await call(process.execPath, ['-e', script])).toEqual({ status: 0, output: 'required\n\n' })
  const { status, output } = await call('npx', ['hutch', 'tour'])
  expect([status, output.match(/^.*✗.*$/gm)]).toEqual([0, null])
})

test.for([
  ['mts', 'nodenext', 'nodenext', true],
  ['cts', 'nodenext', 'nodenext', true],
  ['mts', 'node16', 'node16', true],
  ['cts', 'node16', 'node16', true],
  ['ts', 'commonjs', 'bundler', true],
  ['mts', 'nodenext', 'nodenext', false],
] as const)('types for .%s with module %s, moduleResolution %s, exactOptionalPropertyTypes %s', (row) => {
  const [extension, module, moduleResolution, exact] = row
  const folder = `${installed.folder}/${extension}-${module}-${exact}`
  mkdirSync(folder)
  cpSync('test/package/consumer.ts', `${folder}/consumer.${extension}`)
  const types = `${installed.folder}/node_modules/@types`
  if (!existsSync(types)) symlinkSync(`${process.cwd()}/node_modules/@types`, types)
  const undici = `${installed.folder}/node_modules/undici-types`
  if (!existsSync(undici)) symlinkSync(`${process.cwd()}/node_modules/undici-types`, undici)
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    exactOptionalPropertyTypes: exact,
    target: 'es2022',
    types: ['node'],
    preserveSymlinks: true,
    module,
    moduleResolution,
  }
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ['.'] }))
  const { status, stdout } = spawnSync('node_modules/.bin/tsc', ['-p', folder], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, ''])
})

test('without its binaries, the error says how to get them', async () => {
  const copy = `${installed.folder}/without`
  cpSync(`${root()}/dist`, `${copy}/dist`, { recursive: true })
  const { status, output } = await installed.call(process.execPath, [`${copy}/dist/cli.cjs`, 'run', '--', 'true'])
  expect([status, output]).toEqual([
    125,
    expect.stringMatching(/prebuilt\/linux-x64\/hutch\.node.*\n {2}remedy.*npm install hutch/),
  ])
})

/** Runs a program for arm64. A machine that does not register the emulator itself gets a namespace that does (Linux 6.7). */
async function callArm64(args: readonly string[]): ReturnType<Installed['call']> {
  const register = `mount -t binfmt_misc binfmt_misc "$1" && cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$1/register"
shift; exec "$@"`
  mkdirSync(`${installed.folder}/binfmt`, { recursive: true })
  const here = (await installed.call(args[0]!, ['--version'])).status === 0
  const around = [
    'unshare',
    '--user',
    '--map-root-user',
    '--mount',
    '--pid',
    '--fork',
    '--mount-proc',
    'sh',
    '-ec',
    register,
    'sh',
  ]
  const [program, ...rest] = [...(here ? [] : [...around, `${installed.folder}/binfmt`]), ...args]
  return installed.call('env', ['QEMU_LD_PREFIX=/usr/aarch64-linux-gnu', program!, ...rest])
}

test('arm64: Node for arm64 loads the addon and starts containers, by older calls than clone3', async () => {
  const script = `
const { layout, run } = require('hutch')
const look = (result) => console.log(result.reason, result.exitCode, result.stdout.trim())
const limits = { memory: '60M', pids: 20 }
console.log(process.arch, layout().layout)
run('sh', ['-c', 'echo $$; hutch hog 10M; exit 3'], { limits }).then(look)
  .then(() => run('hutch', ['hog', '200M'], { limits })).then(look)
  .then(() => run('/nowhere', [], { limits })).then(look)`
  const { status, output } = await callArm64([fetchRuntime('node 20 for arm64'), '-e', script])
  expect([status, output]).toEqual([
    0,
    expect.stringMatching(/^arm64 \S+\nexit 3 \d\n\.\noom null \.*\nnot-found 127 \n$/),
  ])
})

/** Makes the folder of libraries that Bun for musl needs. */
function linkMuslLibraries(): string {
  const folder = `${installed.folder}/musl`
  mkdirSync(folder)
  symlinkSync('/lib/ld-musl-x86_64.so.1', `${folder}/libc.musl-x86_64.so.1`)
  for (const name of ['libstdc++.so.6', 'libgcc_s.so.1'])
    symlinkSync(`/usr/lib/x86_64-linux-gnu/${name}`, `${folder}/${name}`)
  const shim = ['-shared', '-fPIC', '-o', `${folder}/ld-linux-x86-64.so.2`, 'test/package/musl-shim.c']
  execFileSync('musl-gcc', shim)
  return folder
}

test('musl: the library runs in Bun for musl', async () => {
  const bun = fetchRuntime('bun 1.4 for musl')
  const interpreter = execFileSync('readelf', ['-l', bun], { encoding: 'utf8' })
  expect(interpreter).toContain('interpreter: /lib/ld-musl-x86_64.so.1')
  const args = [`LD_LIBRARY_PATH=${linkMuslLibraries()}`, bun, 'library.mjs', '10', '10']
  expect(await installed.call('env', args)).toEqual({ status: 0, output: expect.stringMatching(allChecks) })
})
