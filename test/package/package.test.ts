// SPDX-License-Identifier: Apache-2.0
// The package of a release: what is in it, and that it runs where it is installed. `npm run test:runtimes` also tries other runtimes.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dropins } from '../../src/dropin/table.ts'
import { requires, skip } from '../support/requires.ts'
import { callArm64 } from './arm64.ts'
import { installFromGit } from './from-git.ts'
import { copySources, type Installed, install, packagesOf, packageTime } from './installed.ts'
import { fetchRuntime, type Runtime } from './runtimes.ts'

let installed: Installed
const root = () => `${installed.folder}/node_modules/hutch`

beforeAll(async () => {
  installed = await install()
}, 300_000)

afterAll(() => installed.remove())

const sizeOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(`${folder}/${name}`))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)

test('what one platform installs has at most 8 MB, with everything that it names', () => {
  const names = readdirSync(root(), { recursive: true, encoding: 'utf8' })
  expect(sizeOf(root()) + sizeOf(`${root()}-linux-x64`)).toBeLessThan(8_000_000)
  expect(names.filter((name) => /\.cache$|hutch-init$|^build\/|^native\//.test(name))).toEqual([])
  const main = JSON.parse(readFileSync(`${root()}/package.json`, 'utf8'))
  const { bin, exports, homepage, repository, keywords, cpu, optionalDependencies, version } = main
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
  expect(optionalDependencies).toMatchObject({ 'hutch-linux-x64': version, 'hutch-linux-arm64': version })
  for (const licence of [`${root()}/THIRD-PARTY.md`, `${root()}-linux-x64/THIRD-PARTY.md`])
    expect(readFileSync(licence, 'utf8')).toMatch(
      /## uplot [\s\S]*## QuickJS-ng \d[\s\S]*Fabrice Bellard[\s\S]*## GNU C Library/,
    )
})

test('a second clone, at another path, builds a release with the same bytes', { timeout: 600_000 }, async () => {
  const clone = `${installed.folder}/a second/clone`
  copySources(clone)
  symlinkSync(realpathSync('node_modules'), `${clone}/node_modules`)
  // To compile the objects for arm64 twice needs as much time as all the rest. They are used if their sources are the same.
  for (const path of ['build/linux-arm64', 'build/standalone/linux-arm64/objects'])
    cpSync(path, `${clone}/${path}`, { recursive: true })
  const env = { ...process.env, ...packageTime }
  const build = (...args: string[]) =>
    execFileSync(process.execPath, args, { cwd: clone, stdio: ['ignore', 'ignore', 'inherit'], env })
  build('build.js')
  build('scripts/release.js')
  const sums = (release: string) => readFileSync(`${release}/SHA256SUMS`, 'utf8')
  expect(sums(`${clone}/release`)).toBe(sums(installed.release))
  expect(spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: installed.release }).status).toBe(0)
  expect(
    sums(installed.release)
      .replace(/^\w+ {2}/gm, '')
      .replaceAll(/\d+\.\d+\.\d+/g, 'V'),
  ).toBe(
    `THIRD-PARTY.md
hutch-V.tgz
hutch-linux-arm64
hutch-linux-arm64-V.tgz
hutch-linux-x64
hutch-linux-x64-V.tgz
hutch_V-1_amd64.deb
hutch_V-1_arm64.deb
`,
  )
})

test('a build without gcc names gcc and the package', async () => {
  const { status, output } = await installed.call('sh', [`${process.cwd()}/native/build.sh`, '--into', 'never'])
  expect([status, output]).toEqual([
    1,
    expect.stringMatching(/gcc not found\n {2}remedy: apt-get install gcc .*npm install hutch/),
  ])
})

/** The output of `hutch version` tells the two apart. */
const withoutNode = { status: 0, output: expect.stringMatching(/^hutch .* \(without Node\)\n$/) }
const withNode = { status: 0, output: expect.stringMatching(/^hutch .* \(Node v.*\)\n$/) }

test('node_modules/.bin/hutch is the binary without Node, and sh starts nothing else', async () => {
  const bin = `${installed.folder}/node_modules/.bin`
  expect(await installed.call('npx', ['hutch', 'version'])).toEqual(withoutNode)
  for (const line of [
    './hutch version',
    'sh hutch version',
    'PATH=.:$PATH hutch version',
    '../.bin/../hutch/dist/hutch.cjs version',
  ])
    expect([line, await installed.call('sh', ['-c', `cd '${bin}' && ${line}`])]).toEqual([line, withoutNode])
  const trace = await installed.call('strace', [
    '-f',
    '-e',
    'trace=execve,fork,vfork,clone,clone3',
    `${bin}/hutch`,
    '-V',
  ])
  expect(trace.output.match(/^\w+\(.* = /gm)).toEqual([
    expect.stringContaining('.bin/hutch'),
    expect.stringContaining('hutch-linux-x64/hutch'),
  ])
})

test('links of any name lead to the same binary; a drop-in has its name from the link', async () => {
  const links = `${installed.folder}/links`
  mkdirSync(links)
  symlinkSync('../node_modules/.bin/hutch', `${links}/h`)
  symlinkSync('../node_modules/.bin/hutch', `${links}/unshare`)
  expect(await installed.call(`${links}/h`, ['version'])).toEqual(withoutNode)
  expect(await installed.call(`${links}/unshare`, ['--version'])).toEqual({
    status: 0,
    output: expect.stringMatching(/from hutch/),
  })
  expect((await installed.call('npx', ['hutch', 'links', '--dir', links])).status).toBe(125)
  rmSync(`${links}/unshare`)
  expect((await installed.call('npx', ['hutch', 'links', '--dir', links])).status).toBe(0)
  expect(realpathSync(`${links}/unshare`)).toBe(realpathSync(`${root()}-linux-x64/hutch`))
})

test('dist/hutch.cjs has the names of all drop-ins, and no variable of its user changes', async () => {
  const text = readFileSync(`${root()}/dist/hutch.cjs`, 'utf8')
  const [, names] = /^(cgcreate \|.*)\)$/m.exec(text) ?? []
  expect(names?.split(' | ')).toEqual(Object.keys(dropins))
  const assigned = [...text.matchAll(/^\s*(\w+)=|for (\w+) in|read -r (\w+)/gm)].map(([, a, b, c]) => a ?? b ?? c!)
  expect(assigned.length).toBeGreaterThan(5)
  expect(assigned.filter((name) => !name.startsWith('hutch_'))).toEqual([])
})

test('installed globally, and in the layout of pnpm, it is the same, and starts commands of Node', async () => {
  const prefix = `${installed.folder}/prefix`
  mkdirSync(prefix)
  const install = ['install', '--global', '--prefix', prefix, '--offline', ...packagesOf(installed.release)]
  expect((await installed.call('npm', install)).status).toBe(0)
  const store = `${installed.folder}/p/node_modules/.pnpm`
  for (const name of ['hutch', 'hutch-linux-x64'])
    cpSync(`${installed.folder}/node_modules/${name}`, `${store}/${name}@1/node_modules/${name}`, { recursive: true })
  symlinkSync('../../hutch-linux-x64@1/node_modules/hutch-linux-x64', `${store}/hutch@1/node_modules/hutch-linux-x64`)
  symlinkSync('.pnpm/hutch@1/node_modules/hutch', `${store}/../hutch`)
  for (const hutch of [
    `${installed.folder}/node_modules/.bin/hutch`,
    `${prefix}/bin/hutch`,
    `${store}/../hutch/dist/hutch.cjs`,
  ]) {
    expect(await installed.call(hutch, ['version'])).toEqual(withoutNode)
    // an error of the command itself, which only Node's knows
    expect(await installed.call(hutch, ['replay', '--list', '/nowhere.db'])).toEqual({
      status: 125,
      output: expect.stringMatching(/^hutch: .*\/nowhere\.db/),
    })
  }
})

test('without the package of the platform, hutch is that for Node', async () => {
  const alone = `${installed.folder}/alone`
  cpSync(root(), `${alone}/node_modules/hutch`, { recursive: true })
  expect(await installed.call(`${alone}/node_modules/hutch/dist/hutch.cjs`, ['version'])).toEqual(withNode)
  symlinkSync(`node_modules/hutch/dist/hutch.cjs`, `${alone}/nsenter`)
  expect(await installed.call(`${alone}/nsenter`, ['--version'])).toEqual({
    status: 0,
    output: expect.stringMatching(/from hutch/),
  })
})

test('the binary alone names what a command of Node lacks', async () => {
  mkdirSync(`${installed.folder}/single`)
  const single = `${installed.folder}/single/hutch`
  cpSync(`${installed.release}/hutch-linux-x64`, single)
  expect(await installed.call(single, ['version'])).toEqual(withoutNode)
  // a file of another user beside it is not executed
  writeFileSync(`${installed.folder}/single/cli.cjs`, 'console.log("executed")')
  expect(await installed.call(single, ['top'])).toEqual({
    status: 125,
    output: expect.stringMatching(/hutch for Node.*\n {2}remedy.*npm install --global hutch/),
  })
})

test('every sh, and what takes it for JavaScript, starts it', async (context) => {
  requires(context, 'busybox')
  const hutch = `${root()}/dist/hutch.cjs`
  for (const [sh, ...args] of [['dash'], ['bash'], ['busybox', 'sh'], ['zsh', '--emulate', 'sh']])
    expect([sh, await installed.call(sh!, [...args, hutch, 'version'])]).toEqual([sh, withoutNode])
  for (const path of [hutch, `${installed.folder}/node_modules/.bin/hutch`])
    expect(await installed.call(process.execPath, [path, 'version'])).toEqual(withNode)
})

test("files that may be another user's are not executed", async (context) => {
  requires(context, 'root')
  const place = `${installed.folder}/shared`
  cpSync(root(), `${place}/hutch`, { recursive: true })
  cpSync(`${root()}-linux-x64`, `${place}/hutch-linux-x64`, { recursive: true })
  // beside a package that is not in node_modules
  expect(await installed.call(`${place}/hutch/dist/hutch.cjs`, ['version'])).toEqual(withNode)
  mkdirSync(`${place}/bin`)
  cpSync(`${place}/hutch-linux-x64/hutch`, `${place}/bin/hutch`)
  const planted = `${place}/lib/node_modules/hutch/dist/cli.cjs`
  mkdirSync(dirname(planted), { recursive: true })
  writeFileSync(planted, 'console.log("executed")')
  expect(await installed.call(`${place}/bin/hutch`, ['top'])).toEqual({ status: 0, output: 'executed\n' })
  chownSync(planted, 4321, 4321)
  expect(await installed.call(`${place}/bin/hutch`, ['top'])).toEqual({
    status: 125,
    output: expect.stringMatching(/hutch for Node/),
  })
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

test('arm64: Node for arm64 loads the addon and starts containers, by older calls than clone3', async () => {
  const script = `
const { layout, run } = require('hutch')
const look = (result) => console.log(result.reason, result.exitCode, result.stdout.trim())
const limits = { memory: '60M', pids: 20 }
console.log(process.arch, layout().layout)
run('sh', ['-c', 'echo $$; hutch hog 10M; exit 3'], { limits }).then(look)
  .then(() => run('hutch', ['hog', '200M'], { limits })).then(look)
  .then(() => run('/nowhere', [], { limits })).then(look)`
  const { status, output } = await callArm64(installed, [fetchRuntime('node 20 for arm64'), '-e', script])
  expect([status, output]).toEqual([
    0,
    expect.stringMatching(/^arm64 \S+\nexit 3 \d\n\.\noom null \.*\nnot-found 127 \n$/),
  ])
})

test('arm64: the binary without Node starts commands and containers', async () => {
  // under this name, commands that it contains find it
  const hutch = `${installed.folder}/arm64/hutch`
  cpSync(`${installed.release}/hutch-linux-arm64`, hutch)
  expect(await callArm64(installed, [hutch, 'version'])).toEqual(withoutNode)
  expect(await callArm64(installed, [hutch, 'run', '--isolate', 'none', '--', 'true'])).toEqual({
    status: 0,
    output: '',
  })
  const limits = ['--memory', '60M', '--pids', '20', '--isolate', 'all', '--quiet']
  const script = 'echo $$; hutch hog 10M; exit 3'
  expect(await callArm64(installed, [hutch, 'run', ...limits, '--', 'sh', '-c', script])).toEqual({
    status: 3,
    output: expect.stringMatching(/^\d\n\.\n$/),
  })
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
