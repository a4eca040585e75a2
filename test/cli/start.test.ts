// SPDX-License-Identifier: Apache-2.0
// What a start of the CLI loads: its parts with their bytecode, and few modules of Node. Bytecode that V8 rejects changes nothing.
// In a VM only in `npm run test:kernels`.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { cli } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect } from './hutch.ts'

beforeEach((context) => requires(context, 'hutch for Node'))

const work = mkdtempSync(`${tmpdir()}/hutch-start-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

/** Run before the CLI: prints at the end what was loaded meanwhile, and which parts V8 had to compile. */
const observer = `${work}/observer.cjs`
writeFileSync(
  observer,
  `const vm = require('node:vm')
const before = new Set(process.moduleLoadList)
const parts = []
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options)
    parts.push([options.filename.replace(/.*\\/cli\\//, ''), this.cachedDataRejected === false])
  }
}
process.on('exit', () => {
  const modules = process.moduleLoadList.filter((name) => !before.has(name)).flatMap((name) => name.match(/^NativeModule ([a-z_/]+)$/)?.[1] ?? [])
  require('node:fs').writeSync(1, JSON.stringify({ modules, parts }) + '\\n')
})
`,
)

interface Loaded {
  modules: string[]
  parts: [string, boolean][]
}

async function observe(file: string, ...args: string[]): Promise<Loaded> {
  const { status, stdout, stderr } = await collect(process.execPath, ['--require', observer, file, ...args])
  expect([status, stderr]).toEqual([0, ''])
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!)
}

test.each([
  [['--version'], ['main.cjs']],
  [
    ['run', '--', 'true'],
    ['main.cjs', 'cli-run.cjs'],
  ],
])('%j loads %j from their bytecode, and no streams, sockets or cryptography', async (args, parts) => {
  const loaded = await observe(cli, ...args)
  expect(loaded.parts).toEqual(parts.map((name) => [name, true]))
  const slow =
    /^(internal\/)?(stream|net|tty|crypto|worker|perf_hooks|child_process|streams\/|crypto\/|worker\/|perf\/)/
  expect(loaded.modules.filter((name) => slow.test(name))).toEqual([])
})

test('bytecode that is missing, cut off, of another build or not bytecode is not used, and the command works', async () => {
  const copy = `${work}/copy`
  for (const part of ['dist', 'build']) cpSync(part, `${copy}/${part}`, { recursive: true })
  const caches = readdirSync(`${copy}/dist/cli`).filter((name) => name.endsWith('.cache'))
  const spoil: [string, (file: string, other: string) => void][] = [
    ['not bytecode', (file) => writeFileSync(file, Buffer.alloc(40_000, 0xa5))],
    ['of another part', (file, other) => writeFileSync(file, readFileSync(other))],
    ['cut off', (file) => truncateSync(file, 2000)],
    ['empty', (file) => truncateSync(file)],
    ['missing', (file) => rmSync(file)],
  ]
  for (const [what, act] of spoil) {
    for (const name of caches) act(`${copy}/dist/cli/${name}`, 'dist/cli/others.cjs.cache')
    const { parts } = await observe(`${copy}/dist/cli.cjs`, 'run', '--', 'true')
    expect([what, parts]).toEqual([
      what,
      [
        ['main.cjs', false],
        ['cli-run.cjs', false],
      ],
    ])
  }
})

test('the stack of an unexpected error names functions, with lines short enough to find them', async () => {
  const broken = `${work}/broken.cjs`
  writeFileSync(broken, `process.hrtime = () => { throw new Error('no clock') }`)
  const { status, stderr } = await collect(process.execPath, ['--require', broken, cli, 'run', '--', 'true'])
  expect(status).toBe(125)
  expect(stderr).toMatch(/^hutch: Error: no clock\n/)
  expect(stderr).toMatch(/\n {4}at startSpec \(\S*dist\/cli\/cli-run\.cjs:\d{3,}:\d{1,3}\)\n/)
})
