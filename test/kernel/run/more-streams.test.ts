// SPDX-License-Identifier: Apache-2.0
// More than three streams in `stdio`: bytes both ways, numbers in the given order, and no other descriptor in the command.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Duplex, Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { createPool, type RunOptions, run, type StartOptions, start } from '../../../src/index.ts'

/** A development dependency: a checkout that was installed before it was added lacks it. */
const name = 'execa'
const execa = await import(name).then(
  (module) => module.execa,
  () => undefined,
)

const work = mkdtempSync(`${tmpdir()}/hutch-streams-test-`)
afterAll(() => rmSync(work, { recursive: true }))

/** Prints the numbers of the shell's open descriptors up to 40, and opens none. */
const list = 'for n in $(seq 0 40); do if [ -e /proc/$$/fd/$n ]; then printf "%s " $n; fi; done'

async function textOf(stream: unknown): Promise<string> {
  let text = ''
  for await (const chunk of stream as Readable) text += chunk
  return text
}

const containers: { [title: string]: RunOptions } = {
  'no namespaces': { isolate: 'none' },
  'a pid namespace': {},
  'a pid namespace without hutch-init': { init: false },
  'a user namespace': { isolate: ['user', 'pid', 'mount'] },
  'a sandbox': { sandbox: true },
  'a group, and a low limit of descriptors': { limits: { pids: 20 }, ulimits: { nofile: 16 } },
}

test.for(Object.entries(containers))('bytes both ways in %s', async ([, options]) => {
  const job = await start('sh', ['-c', 'cat <&3; echo answer >&3; cat <&5 >&6; echo four >&4'], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', Readable.from(['from a stream']), 'pipe'],
  })
  const [three, four, five, six] = job.stdio.slice(3)
  expect([three instanceof Duplex, five, job.stdio[1] === job.stdout]).toEqual([true, null, true])
  ;(three as Duplex).end('question\n')
  expect(await Promise.all([job.stdout, three, four, six].map(textOf))).toEqual([
    'question\n',
    'answer\n',
    'four\n',
    'from a stream',
  ])
  expect((await job.result).status).toBe(0)
})

test.for(Object.entries(containers))('only the given descriptors are open in %s', async ([, options]) => {
  const listed = async (stdio: StartOptions['stdio']) => (await run('sh', ['-c', list], { ...options, stdio })).stdout
  const fd = openSync('/etc/hostname', 'r')
  const own = await listed(['ignore', 'pipe', 'pipe'])
  expect(own).toBe('0 1 2 ')
  const more = await listed([
    'ignore',
    'pipe',
    'pipe',
    'pipe',
    fd,
    'ignore',
    undefined,
    null,
    { file: '/dev/null' },
    fd,
  ])
  expect(more).toBe('0 1 2 3 4 8 9 ')
  closeSync(fd)
})

test('each number gets its own file, also if the numbers of the caller are permuted', async () => {
  const files = ['a', 'b', 'c', 'd', 'e', 'f'].map((word) => {
    writeFileSync(`${work}/${word}`, word)
    return openSync(`${work}/${word}`, 'r')
  })
  const stdio = ['ignore', 'pipe', 'inherit', ...files.toReversed(), ...files] as const
  const { stdout } = await run('sh', ['-c', 'for n in 3 4 5 6 7 8 9; do eval "cat <&$n"; done'], { stdio })
  expect(stdout).toBe('fedcba')
  const numbers = Array.from({ length: 32 }, (_, i) => (i < 3 ? 'pipe' : files[i % 6]!))
  const open = await run('ls', ['/proc/self/fd'], { stdio: numbers })
  // the last one is the directory that ls reads
  expect(Math.max(...open.stdout!.trim().split('\n').map(Number))).toBe(32)
  for (const fd of files) closeSync(fd)
})

test('run returns what the command wrote to each pipe, in every encoding', async () => {
  const script = 'printf "a\\nb\\n" >&3; printf "\\377" >&4; cat <&3; echo out'
  const stdio = ['pipe', 'pipe', 'ignore', 'pipe', 'pipe', 'ignore'] as const
  expect(await run('sh', ['-c', script], { stdio, lines: true })).toMatchObject({
    stdout: ['out'],
    stdio: [undefined, ['out'], undefined, ['a', 'b'], ['\ufffd'], undefined],
    replaced: { fd4: 1 },
  })
  expect(await run('sh', ['-c', script], { stdio, encoding: 'buffer', maxBuffer: 2 })).toMatchObject({
    stdio: [undefined, Buffer.from('ou'), undefined, Buffer.from('a\n'), Buffer.from([255]), undefined],
    truncated: { stdout: 2, fd3: 2 },
  })
  expect(await run('true')).not.toHaveProperty('stdio')
})

test('streams and files are copied to and from descriptors above 2', async () => {
  const chunks: Buffer[] = []
  const sink = new Writable({ write: (chunk, _, done) => (chunks.push(chunk), done()) })
  await run('sh', ['-c', 'echo three >&3; echo four >&4; echo five >&5; echo six >&6'], {
    stdio: ['ignore', 'ignore', 'inherit', sink, { file: `${work}/four` }, pathToFileURL(`${work}/five`), sink],
  })
  expect(Buffer.concat(chunks).toString().split('\n').sort()).toEqual(['', 'six', 'three'])
  expect([readFileSync(`${work}/four`, 'utf8'), readFileSync(`${work}/five`, 'utf8')]).toEqual(['four\n', 'five\n'])
  const broken = async function* () {
    yield 'half'
    throw new Error('the disk is gone')
  }
  await expect(
    run('sh', ['-c', 'cat <&3'], { stdio: ['ignore', 'pipe', 'pipe', Readable.from(broken())] }),
  ).rejects.toMatchObject({ code: 'STREAM_FAILED' })
})

test('what a command wrote arrives, although it did not read what was sent to it', async () => {
  const job = await start('sh', ['-c', 'head -c 300000 /dev/zero >&3; exec true'], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const connection = job.stdio[3] as Duplex
  connection.write(Buffer.alloc(1000))
  await new Promise((resolve) => connection.once('readable', resolve))
  let total = 0
  for await (const chunk of connection) {
    total += chunk.length
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(total).toBe(300_000)
})

test('a pool passes on descriptors, and the next job has none of them', async () => {
  const pool = await createPool({ size: 1, sandbox: true, mounts: [{ tmpfs: '/tmp:size=1M' }] })
  try {
    const fd = openSync('/etc/hostname', 'r')
    const stdio = ['pipe', 'pipe', 'pipe', 'pipe', fd, Readable.from(['from a stream']), 'ignore', 'pipe'] as const
    const script = `cat <&5 >&3; cat <&4 >/dev/null; exec >&7; ${list}; head -c 2M /dev/zero >/tmp/full`
    const { stdio: outputs, cause } = await pool.run('sh', ['-c', script], { stdio })
    expect(outputs).toEqual([
      undefined,
      '',
      expect.stringContaining('space'),
      'from a stream',
      undefined,
      undefined,
      undefined,
      '0 1 2 3 4 5 7 ',
    ])
    // hutch-init still holds the full file system, whose descriptor has made way
    expect(cause.kind).toBe('space')
    expect((await pool.run('sh', ['-c', list])).stdout).toBe('0 1 2 ')
    closeSync(fd)
  } finally {
    await pool.close()
  }
})

test('a directory, a closed number and an unknown word are refused by number', async () => {
  const directory = openSync('/', 'r')
  const streams = (last: unknown) => ({ sandbox: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe', last] as never })
  await expect(run('true', streams(directory))).rejects.toMatchObject({
    code: 'STREAM_REFUSED',
    message: expect.stringContaining('descriptor 4'),
  })
  closeSync(directory)
  await expect(run('true', streams(9999))).rejects.toMatchObject({ errno: 'EBADF' })
  for (const word of ['input', 'overlapped', 'ipc', {}, ['pipe', 'inherit']])
    await expect(run('true', streams(word))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('stdio[4]'),
    })
  await expect(run('true', { stdio: Array(33).fill('ignore') })).rejects.toThrow(/at most 32/)
})

test('execa and hutch agree on streams above 2', async (context) => {
  if (!execa) return context.skip('execa is not installed: npm install')
  const script = 'echo three >&3; cat <&4; printf "four" >&4; echo out'
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'] as const
  const wanted = await execa('sh', ['-c', script.replace('cat <&4; ', '')], { stdio, stripFinalNewline: false })
  const got = await run('sh', ['-c', script], { stdio, isolate: 'none' })
  expect(got.stdio).toEqual(wanted.stdio)
  const input = () => Readable.from(['a', 'b'])
  const read = ['-c', 'cat <&3']
  expect((await run('sh', read, { stdio: ['ignore', 'pipe', 'pipe', input()] })).stdout).toBe(
    (await execa('sh', read, { stdio: ['ignore', 'pipe', 'pipe', [input(), 'pipe']] })).stdout,
  )
})
