// SPDX-License-Identifier: Apache-2.0
// Bytes through a job's streams: what goes in comes out, or the result says what is missing.
import { randomBytes } from 'node:crypto'
import { closeSync, createWriteStream, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { PassThrough, Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { array, assert, asyncProperty, boolean, constantFrom, uint8Array } from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { type Encoding, HutchError, RunError, run, start } from '../../../src/index.ts'
import { repetitions } from '../../support/sample.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-output-test-`)
afterAll(() => rmSync(work, { recursive: true }))
const runs = repetitions(300, 25, 3)

/** Passes stdin on to stdout, and to stderr, too. */
const both = ['-c', 'exec tee /dev/stderr']
const chunks = array(uint8Array({ maxLength: 200 }), { maxLength: 6 })
const encodings: Encoding[] = ['utf8', 'utf16le', 'latin1', 'ascii', 'hex', 'base64', 'base64url', 'buffer']

const asBytes = (output: unknown, encoding: Encoding) =>
  Buffer.isBuffer(output) ? output : Buffer.from(output as string, encoding as BufferEncoding)

test('arbitrary bytes in every encoding come back, or are counted', { timeout: 120_000 }, async () => {
  await assert(
    asyncProperty(chunks, constantFrom(...encodings), boolean(), async (pieces, encoding, streamed) => {
      const bytes = Buffer.concat(pieces)
      const input = streamed ? Readable.from(pieces) : bytes
      const { stdout, stderr, replaced, truncated } = await run('sh', both, { input, encoding, isolate: 'none' })
      expect(truncated).toBe(undefined)
      for (const [name, output] of Object.entries({ stdout, stderr }))
        expect({ name, whole: asBytes(output, encoding).equals(bytes) }).toEqual({
          name,
          whole: replaced?.[name as 'stdout'] === undefined,
        })
    }),
    { numRuns: runs },
  )
})

test('lines, all, and a limit: all bytes are there or counted', { timeout: 120_000 }, async () => {
  await assert(
    asyncProperty(chunks, constantFrom(0, 1, 7, 100, 10_000), async (pieces, maxBuffer) => {
      const bytes = Buffer.concat(pieces)
      const options = { input: bytes, encoding: 'buffer', all: true, maxBuffer, isolate: 'none' } as const
      const { stdout, all, truncated } = await run('sh', both, options)
      expect(stdout).toEqual(bytes.subarray(0, maxBuffer))
      expect(truncated?.stdout ?? 0).toBe(Math.max(0, bytes.length - maxBuffer))
      expect(all!.length + (truncated?.all ?? 0)).toBe(2 * bytes.length)
      const { stdout: lines } = await run('cat', { ...options, maxBuffer: 'max', lines: true })
      const joined = Buffer.concat(lines!.flatMap((line) => [line, Buffer.from('\n')]))
      expect(joined.subarray(0, bytes.length)).toEqual(bytes)
      expect(joined.length - bytes.length).toBe(bytes.length === 0 || bytes.at(-1) === 10 ? 0 : 1)
    }),
    { numRuns: runs },
  )
})

test('all has the same text as the only stream that is read, in every encoding', { timeout: 120_000 }, async () => {
  await assert(
    asyncProperty(chunks, constantFrom(...encodings), async (pieces, encoding) => {
      const stdio = ['pipe', 'pipe', 'ignore'] as const
      const result = await run('cat', { input: Readable.from(pieces), stdio, encoding, all: true, isolate: 'none' })
      expect(result.all).toEqual(result.stdout)
      expect(result.replaced?.all).toBe(result.replaced?.stdout)
    }),
    { numRuns: Math.ceil(runs / 3) },
  )
})

test('lines of a command that writes single bytes have whole characters', async () => {
  const text = 'é€😀\u0000ß\n\n€\nlast €'
  const script = ['-c', 'dd bs=1 status=none']
  const lines = []
  for await (const line of await start('sh', script, { input: text, isolate: 'none' })) lines.push(line)
  expect(lines).toEqual(text.split('\n'))
  expect((await run('sh', script, { input: text, lines: true, isolate: 'none' })).stdout).toEqual(lines)
})

test('a limit between the bytes of a character cuts before it, and says so', async () => {
  expect(await run('printf', ['€€'], { maxBuffer: 5 })).toMatchObject({
    stdout: '€',
    truncated: { stdout: 3 },
    reason: 'exit',
    judge: 'OK',
  })
  expect((await run('printf', ['€€'], { maxBuffer: 6 })).truncated).toBe(undefined)
  const cut = await run('printf', ['a\\377b'])
  expect(cut).toMatchObject({ stdout: 'a\ufffdb', replaced: { stdout: 1 } })
})

const mebibytes = repetitions(300, 8, 1)

test(`${mebibytes} MiB come back whole`, { timeout: 300_000 }, async () => {
  const bytes = randomBytes(2 ** 20)
  const input = Readable.from(Array(mebibytes).fill(bytes))
  const whole = await run('cat', { input, encoding: 'buffer', maxBuffer: 'max' })
  expect(whole.stdout!.length).toBe(mebibytes * 2 ** 20)
  for (let at = 0; at < whole.stdout!.length; at += 2 ** 20)
    if (!whole.stdout!.subarray(at, at + 2 ** 20).equals(bytes)) throw new Error(`other bytes at ${at}`)
})

test('64 MiB are kept by default, and the result counts the rest', { timeout: 60_000 }, async () => {
  const { stdout, truncated, reason, judge } = await run('head', ['-c', '65M', '/dev/zero'])
  expect({ kept: stdout!.length, truncated, reason, judge }).toEqual({
    kept: 2 ** 26,
    truncated: { stdout: 2 ** 20 },
    reason: 'exit',
    judge: 'OK',
  })
})

test('jobs are connected as in a shell', async () => {
  const text = randomBytes(200_000).toString('hex')
  const first = await start('cat', { input: text })
  const second = first.pipe(await start('rev'))
  let got = ''
  for await (const chunk of second.stdout!) got += chunk
  expect(got).toBe([...text].reverse().join(''))
  const endless = await start('yes')
  const short = endless.pipe(await start('head', ['-n', '1']))
  const lines = []
  for await (const line of short) lines.push(line)
  expect(lines).toEqual(['y'])
  expect(await endless.result).toMatchObject({ signal: 'SIGPIPE' })
  expect(() => endless.pipe(first)).toThrow(expect.objectContaining({ code: 'OPTION_CONFLICT' }))
})

test('arbitrary bytes pass through a pipe of jobs', { timeout: 120_000 }, async () => {
  await assert(
    asyncProperty(chunks, async (pieces) => {
      const first = await start('cat', { input: Readable.from(pieces), isolate: 'none' })
      const second = first.pipe(await start('cat', { isolate: 'none' }))
      const got = []
      for await (const chunk of second.stdout!) got.push(chunk)
      expect(Buffer.concat(got)).toEqual(Buffer.concat(pieces))
    }),
    { numRuns: Math.ceil(runs / 3) },
  )
})

test('the lines of a job come as they are written, also those of both streams', async () => {
  const lines = []
  const job = await start('sh', ['-c', 'printf "a\\n\\nb\\303\\251\\377\\r\\nlast"'])
  for await (const line of job) lines.push(line)
  expect(lines).toEqual(['a', '', 'bé\ufffd\r', 'last'])
  expect(job.replaced).toBe(1)
  const all = []
  for await (const line of await start('sh', ['-c', 'echo out; echo err >&2'], { all: true })) all.push(line)
  expect(all.sort()).toEqual(['err', 'out'])
  const failing = async () => {
    for await (const line of await start('sh', ['-c', 'echo a; exit 3'], { reject: true })) expect(line).toBe('a')
  }
  await expect(failing()).rejects.toThrow(RunError)
})

test('a stream that fails as input ends the job, and is the cause of the error', async () => {
  const broken = async function* () {
    yield 'half'
    throw new Error('the disk is gone')
  }
  await expect(run('cat', { input: broken() })).rejects.toMatchObject({
    code: 'STREAM_FAILED',
    cause: { message: 'the disk is gone' },
  })
  await expect(run('cat', { input: Readable.from([1]) as never })).rejects.toThrow(/the input of the command/)
  // a command that does not read everything is no failure
  expect(await run('true', { input: Readable.from(Array(100).fill('x'.repeat(100_000))) })).toMatchObject({ status: 0 })
})

test('an endless input ends with the command', async () => {
  const waiting = new PassThrough()
  expect(await run('head', ['-n', '1'], { input: waiting.write('one\n') ? waiting : '' })).toMatchObject({
    stdout: 'one\n',
  })
  expect(waiting.destroyed).toBe(true)
  await expect(run('cat', { input: process.stdin })).rejects.toThrow(/inherit/)
})

test('stdio takes files, URLs, streams and descriptors', async () => {
  writeFileSync(`${work}/in`, 'from a file\n')
  const [out, log] = [`${work}/out`, `${work}/log`]
  for (let i = 0; i < 2; i++)
    await run('sh', ['-c', 'cat; echo error >&2'], {
      stdio: [pathToFileURL(`${work}/in`), { file: out }, { file: pathToFileURL(log), append: true }],
    })
  expect([readFileSync(out, 'utf8'), readFileSync(log, 'utf8')]).toEqual(['from a file\n', 'error\nerror\n'])
  const chunks: Buffer[] = []
  const sink = new Writable({ write: (chunk, _, done) => (chunks.push(chunk), done()) })
  const result = await run('sh', ['-c', 'cat; echo error >&2'], { stdio: [Readable.from(['in\n']), sink, sink] })
  expect(result).not.toHaveProperty('stdout')
  expect(Buffer.concat(chunks).toString().split('\n').sort()).toEqual(['', 'error', 'in'])
  expect(sink.writableFinished).toBe(true)
  const file = createWriteStream(`${work}/stream`)
  await new Promise((resolve) => file.once('open', resolve))
  await run('echo', ['direct'], { stdio: ['ignore', file, 'ignore'] })
  file.end()
  await finished(file)
  expect(readFileSync(`${work}/stream`, 'utf8')).toBe('direct\n')
  const fd = openSync(`${work}/in`, 'r')
  expect((await run('cat', { stdio: [fd, 'pipe', 'inherit'] })).stdout).toBe('from a file\n')
  closeSync(fd)
})

test('a failed writable stream, a missing file and two inputs are errors by name', async () => {
  const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no space')) })
  await expect(run('echo', ['x'], { stdio: ['ignore', full, 'ignore'] })).rejects.toMatchObject({
    code: 'STREAM_FAILED',
    cause: { message: 'no space' },
  })
  await expect(run('true', { stdio: [{ file: `${work}/no/such` }, 'pipe', 'pipe'] })).rejects.toMatchObject({
    code: 'FILE_REFUSED',
    errno: 'ENOENT',
  })
  await expect(run('true', { stdio: new URL('https://example.org') })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  await expect(run('true', { stdio: 'ignore', input: 'x' })).rejects.toMatchObject({ code: 'OPTION_CONFLICT' })
})

test('an aborted signal starts nothing, and its reason is kept', async () => {
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  expect(await run('touch', [`${work}/touched`], { signal })).toMatchObject({ reason: 'aborted', abortReason: reason })
  expect(await run('touch', [`${work}/touched`], { signal, lines: true, all: true })).toMatchObject({
    stdout: [],
    stderr: [],
    all: [],
  })
  expect(await run('touch', [`${work}/touched`], { signal, stdio: 'ignore' })).not.toHaveProperty('stdout')
  await expect(start('touch', [`${work}/touched`], { signal })).rejects.toBe(reason)
  expect(() => readFileSync(`${work}/touched`)).toThrow('ENOENT')
  const controller = new AbortController()
  const running = run('sleep', ['60'], { signal: controller.signal })
  controller.abort(reason)
  expect((await running).abortReason).toBe(reason)
})

test('reject throws the whole result; kill sends SIGTERM, or the chosen signal', async () => {
  const error = await run('sh', ['-c', 'echo out; echo bad >&2; exit 3'], { reject: true }).catch((thrown) => thrown)
  expect(error).toBeInstanceOf(RunError)
  expect(error).toMatchObject({ status: 3, exitCode: 3, stdout: 'out\n', stderr: 'bad\n', cause: { kind: 'exited' } })
  expect(error.message).toMatch(/exited with status 3[\s\S]*bad/)
  expect(await run('true', { reject: true })).toMatchObject({ status: 0 })
  const [job, other] = [await start('sleep', ['60']), await start('sleep', ['60'], { killSignal: 'INT' })]
  expect([job.kill(), other.kill()]).toEqual([true, true])
  expect([(await job.result).signal, (await other.result).signal]).toEqual(['SIGTERM', 'SIGINT'])
})

test('cwd is a path or a file URL, and workdir the same option', async () => {
  const where = async (options: object) => (await run('pwd', options)).stdout
  expect(await where({ cwd: '/usr' })).toBe('/usr\n')
  expect(await where({ cwd: new URL('file:///usr/lib') })).toBe('/usr/lib\n')
  expect(await where({ workdir: '/usr' })).toBe('/usr\n')
  for (const options of [{ cwd: '/usr', workdir: '/' }, { cwd: 5 }, { cwd: new URL('http://a/b') }] as object[])
    await expect(where(options)).rejects.toThrow(HutchError)
})

test('extendEnv: false gives only the variables of env', async () => {
  expect((await run('env', { env: { A: 'b', C: '' }, extendEnv: false })).stdout).toBe('A=b\nC=\n')
  expect((await run('env', { extendEnv: true, env: { A: 'b' } })).stdout).toContain('PATH=')
})

test('stripFinalNewline takes one newline; without it output is as it was written', async () => {
  const of = async (options: object) => (await run('printf', ['a\\n\\r\\n'], options)).stdout
  expect(await of({})).toBe('a\n\r\n')
  expect(await of({ stripFinalNewline: true })).toBe('a\n')
  expect(await of({ stripFinalNewline: true, encoding: 'hex' })).toBe('610a')
})
