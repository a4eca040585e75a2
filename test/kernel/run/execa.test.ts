// SPDX-License-Identifier: Apache-2.0
// Behaviour that hutch shares with execa 9: each row runs by both. Also many jobs from one process, which leave nothing.
// In a VM only in `npm run test:kernels`.
import { getEventListeners } from 'node:events'
import { readdirSync } from 'node:fs'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { createPool, run, start } from '../../../src/index.ts'
import { repetitions } from '../../support/sample.ts'

/** A development dependency: a checkout that was installed before it was added lacks it. */
const name = 'execa'
const execa = await import(name).then(
  (module) => module.execa,
  () => undefined,
)

type Fields = { [field: string]: unknown }
type Options = { [option: string]: unknown }

/** What both return; hutch's options differ only where the row says so. */
async function byHutch(file: string, args: string[], options: Options): Promise<Fields> {
  const result = await run(file, args, { isolate: 'none', ...options })
  const { stdout, stderr, all, exitCode, signal } = result
  return {
    ...{ stdout, stderr, all, exitCode: exitCode ?? undefined, signal: signal ?? undefined },
    timedOut: result.reason === 'timeout',
    isCanceled: result.reason === 'aborted',
    failed: result.status !== 0,
  }
}

async function byExeca(file: string, args: string[], options: Options): Promise<Fields> {
  const result = await execa(file, args, { reject: false, stripFinalNewline: false, ...options })
  const { stdout, stderr, all, exitCode, signal, timedOut, isCanceled, failed } = result
  return { stdout, stderr, all, exitCode, signal, timedOut, isCanceled, failed }
}

const both = 'echo out; echo err >&2'
const rows: [title: string, script: string, options: Options, execaOptions?: Options][] = [
  ['output', both, {}],
  ['a status', `${both}; exit 3`, {}],
  ['a signal', 'kill -9 $$', {}],
  ['a timeout', 'exec sleep 60', { timeout: 300 }],
  ['a timeout with another signal', 'exec sleep 60', { timeout: 300, killSignal: 'SIGINT' }],
  [
    'a timeout of a program that ignores SIGTERM',
    "trap '' TERM; while :; do sleep 0.1; done",
    { timeout: 300, killAfter: 200 },
    { timeout: 300, forceKillAfterDelay: 200 },
  ],
  ['a final newline that is removed', 'printf "a\\n\\n"', { stripFinalNewline: true }],
  ['a final newline that is kept', 'printf "a\\n\\n"', { stripFinalNewline: false }],
  ['lines', 'printf "a\\n\\nb\\n"', { lines: true }, { lines: true, stripFinalNewline: true }],
  ['text as input', 'cat', { input: 'äöü\n' }],
  ['bytes as input', 'od -c', { input: new Uint8Array([0, 255, 10]) }],
  ['no text', 'true', {}],
  ['hex', 'printf "\\377\\000"', { encoding: 'hex' }],
  ['base64', 'printf "\\377\\000a"', { encoding: 'base64' }],
  ['latin1', 'printf "\\377a"', { encoding: 'latin1' }],
  ['utf16le', 'printf "a\\000b\\000"', { encoding: 'utf16le' }],
  ['bytes that are invalid', 'printf "a\\377\\303b"', {}],
  ['both streams together', 'echo a; echo b', { all: true }],
  ['a directory', 'pwd', { cwd: '/usr' }],
  ['a directory as a URL', 'pwd', { cwd: new URL('file:///usr/lib') }],
  ['a variable', 'echo $A', { env: { A: 'b' } }],
  ['only these variables', 'echo $HOME$A', { env: { A: 'b' }, extendEnv: false }],
  ['streams that are ignored', 'cat; echo a >&2', { stdio: ['ignore', 'ignore', 'pipe'] }],
  ['a stream from a file', 'cat', { stdio: [{ file: '/etc/hostname' }, 'pipe', 'pipe'] }],
]

test.for(rows)('execa and hutch agree on %s', { timeout: 30_000 }, async ([, script, options, other], context) => {
  if (!execa) return context.skip('execa is not installed: npm install')
  const wanted = await byExeca('sh', ['-c', script], other ?? options)
  expect(await byHutch('sh', ['-c', script], options)).toEqual(wanted)
})

test('execa and hutch agree on input streams, iteration, cancellation and pipes', async (context) => {
  if (!execa) return context.skip('execa is not installed: npm install')
  const input = () => Readable.from(['a\n', 'b'])
  expect(await byHutch('cat', [], { input: input() })).toEqual(await byExeca('cat', [], { input: input() }))
  const lines = async (job: AsyncIterable<unknown>) => {
    const found = []
    for await (const line of job) found.push(line)
    return found
  }
  const script = ['-c', 'printf "a\\n\\nb"']
  expect(await lines(await start('sh', script))).toEqual(await lines(execa('sh', script)))
  const abort = async (runIt: (signal: AbortSignal) => Promise<Fields>) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('enough')), 300)
    return runIt(controller.signal)
  }
  expect(await abort((signal) => byHutch('sleep', ['60'], { signal }))).toEqual(
    await abort((signal) => byExeca('sleep', ['60'], { cancelSignal: signal })),
  )
  const piped = (await start('printf', ['b\\na\\n'])).pipe(await start('sort'))
  expect((await lines(piped)).join('\n')).toBe((await execa('printf', ['b\\na\\n']).pipe('sort')).stdout)
  const [kept, thrown] = await Promise.all([
    run('sh', ['-c', `${both}; exit 3`], { reject: true }).catch((error) => error),
    execa('sh', ['-c', `${both}; exit 3`], { stripFinalNewline: false }).catch((error: Fields) => error),
  ])
  for (const field of ['stdout', 'stderr', 'exitCode']) expect(kept[field]).toEqual(thrown[field])
  expect([kept, thrown].map((error) => error instanceof Error)).toEqual([true, true])
})

const descriptors = () => readdirSync('/proc/self/fd').length
const atOnce = repetitions(500, 60, 10)
const inARow = repetitions(10_000, 150, 20)

test(`${atOnce} jobs at once and ${inARow} in a row leave no descriptor, listener or memory`, {
  timeout: 900_000,
}, async () => {
  const controller = new AbortController()
  const { signal } = controller
  const one = (i: number) => run('cat', { input: String(i), signal, all: true, isolate: 'none', onEvent: () => {} })
  await Promise.all(Array.from({ length: 10 }, (_, i) => one(i)))
  const before = descriptors()
  const handles = process.getActiveResourcesInfo().length
  const results = await Promise.all(Array.from({ length: atOnce }, (_, i) => one(i)))
  expect(results.map(({ stdout }) => stdout)).toEqual(results.map((_, i) => String(i)))
  const memory = process.memoryUsage().rss
  for (let i = 0; i < inARow; i++) expect((await one(i)).stdout).toBe(String(i))
  for (let tries = 0; descriptors() > before && tries < 100; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  expect(descriptors()).toBeLessThanOrEqual(before)
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(handles + 2)
  expect((process.memoryUsage().rss - memory) / 2 ** 20).toBeLessThan(64)
  // a signal that never aborts has no listener of an ended job
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('createPool without a size, and pool.run with the arguments of run', async () => {
  const pool = await createPool({ size: 1, isolate: 'none' })
  const options = { input: 'a\nb', lines: true } as const
  expect((await pool.run('cat', options)).stdout).toEqual((await run('cat', options)).stdout)
  expect((await pool.run('echo', ['x'], { encoding: 'buffer' })).stdout).toEqual(Buffer.from('x\n'))
  await expect(pool.run('false', { reject: true })).rejects.toMatchObject({ name: 'RunError', status: 1 })
  await expect(pool.run('true', { stdin: 'a' } as never)).rejects.toMatchObject({
    remedy: expect.stringContaining('give input'),
  })
  await pool.close()
})
