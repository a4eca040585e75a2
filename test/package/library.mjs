// SPDX-License-Identifier: Apache-2.0
// What every runtime must do with the installed package: node library.mjs [AT-ONCE [IN-A-ROW]], the jobs of the last check.
// Each check is a line of the output; an error ends it with 1.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { isMainThread, Worker } from 'node:worker_threads'
import { Cgroup, createPool, HutchError, run, start } from 'hutch'

const [atOnce, inARow] = [Number(process.argv[2] ?? 50), Number(process.argv[3] ?? 50)]
const descriptors = () => readdirSync('/proc/self/fd').length
const repeat = (text, times) => text.repeat(times)

/** Returns how many listeners the process has. */
function listeners() {
  return process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
}

/** Returns the resident memory in MiB, after a garbage collection if the runtime has one to call. */
function residentMemory() {
  globalThis.Bun?.gc(true)
  globalThis.gc?.()
  return process.memoryUsage().rss / 2 ** 20
}

/** Most MiB that the last check may leave. Without the flags of package.test.ts, a young heap may still grow. */
const maxGrowth = globalThis.gc ? 12 : 32

/** Waits until the condition holds; the runner has a deadline. */
async function until(condition) {
  while (!condition()) await new Promise((done) => setTimeout(done, 10))
}

const checks = {
  async 'a result has output, exit status and figures'() {
    const result = await run('sh', ['-c', 'echo out; echo err >&2; exit 3'])
    assert.equal(`${result.stdout}${result.stderr}${result.exitCode}`, 'out\nerr\n3')
  },
  async 'bytes pass through stdin and stdout'() {
    const bytes = Buffer.alloc(3 << 20, '0123456789abcdef\xff\0', 'latin1')
    const job = await start('cat')
    const pieces = []
    job.stdout.on('data', (piece) => pieces.push(piece))
    job.stdin.end(bytes)
    assert.equal((await job.result).exitCode, 0)
    await until(() => job.stdout.readableEnded)
    assert.ok(Buffer.concat(pieces).equals(bytes))
  },
  async 'a slow reader holds the job'() {
    const job = await start('sh', ['-c', 'yes | head -c 4000000; echo done >&2'])
    let told = ''
    job.stderr.on('data', (text) => (told += text))
    await new Promise((done) => setTimeout(done, 300))
    assert.equal(told, '')
    job.stdout.resume()
    await job.result
    await until(() => told)
  },
  async 'a closed reader ends the writer'() {
    const job = await start('yes')
    job.stdout.destroy()
    assert.equal((await job.result).signal, 'SIGPIPE')
  },
  async 'open streams of a job that has ended do not keep the process running'() {
    const script = "import('hutch').then(async ({ start }) => (await start('true')).result)"
    const { deno } = process.versions
    const { status } = spawnSync(process.execPath, [...(deno ? ['eval'] : ['-e']), script], { timeout: 20_000 })
    assert.equal(status, 0)
  },
  async 'writing to a job that has ended is an error of the stream'() {
    const job = await start('true')
    await job.result
    const failed = new Promise((done) => job.stdin.once('error', done))
    job.stdin.write('x')
    assert.equal((await failed).code, 'EPIPE')
  },
  async 'a change of the environment reaches the next command'() {
    for (const value of ['one', 'two']) {
      process.env.HUTCH_PACKAGE_TEST = value
      assert.equal((await run('printenv', ['HUTCH_PACKAGE_TEST'])).stdout.trim(), value)
    }
  },
  async 'a limit ends the job, and the cause says so'() {
    const result = await run('hutch', ['hog', '80M'], { limits: { memory: '30M' } })
    assert.equal(result.reason, 'oom')
  },
  async 'a sandbox shows no process of the host'() {
    const { stdout } = await run('sh', ['-c', 'echo $$'], { sandbox: true })
    assert.ok(Number(stdout) <= 2, stdout)
  },
  async 'a pool runs jobs'() {
    const pool = await createPool({ size: 2, limits: { pids: 20 } })
    const results = await Promise.all(Array.from({ length: 10 }, (_, i) => pool.run(['echo', `${i}`])))
    assert.equal(results.map(({ stdout }) => stdout.trim()).join(), '0,1,2,3,4,5,6,7,8,9')
    await pool.close()
  },
  async 'a control group is made, read and removed'() {
    const group = await Cgroup.create(`hutch-package-test-${process.pid}`)
    assert.deepEqual(group.processes(), [])
    await group.remove()
  },
  async 'streams above 2 carry bytes both ways'() {
    const stdio = ['ignore', 'pipe', 'inherit', 'pipe', 'pipe']
    const job = await start('sh', ['-c', 'cat <&3; echo answer >&3; echo four >&4'], { stdio })
    job.stdio[3].end('question\n')
    const textOf = async (stream) => {
      const pieces = []
      for await (const piece of stream) pieces.push(piece)
      return Buffer.concat(pieces).toString()
    }
    const texts = await Promise.all([job.stdout, job.stdio[3]].map(textOf))
    assert.deepEqual(texts, ['question\n', 'answer\n'])
  },
  async 'an error has its code'() {
    await assert.rejects(run('true', [], { limits: { memory: 'x' } }), (error) => error instanceof HutchError)
  },
  async 'a worker thread runs jobs without noise'() {
    const worker = new Worker(new URL(import.meta.url), { stderr: true })
    let noise = ''
    worker.stderr?.on('data', (text) => (noise += text))
    assert.equal(await new Promise((done) => worker.once('message', done)), 'from a worker\n')
    await new Promise((done) => worker.once('exit', done))
    assert.equal(noise, '')
  },
  async 'many jobs at once, and in a row, leave no descriptor, listener or memory'() {
    const before = [descriptors(), listeners()]
    const warnings = []
    const warn = (warning) => warnings.push(warning)
    process.on('warning', warn)
    const text = repeat('x', 1000)
    const results = await Promise.all(Array.from({ length: atOnce }, () => run('echo', [text])))
    assert.ok(results.every(({ stdout }) => stdout === `${text}\n`))
    let memory
    for (let i = 0; i < inARow; i++) {
      assert.equal((await run('true')).exitCode, 0)
      // until then compiled code and the heap reach their size
      if (i === Math.floor(inARow / 4)) memory = residentMemory()
    }
    const growth = residentMemory() - memory
    assert.ok(growth < maxGrowth, `${growth} MiB more after three quarters of the jobs`)
    process.off('warning', warn)
    assert.deepEqual(warnings, [])
    await until(() => descriptors() <= before[0] + 2)
    assert.equal(listeners(), before[1])
  },
}

if (isMainThread)
  for (const [name, check] of Object.entries(checks)) {
    await check()
    console.log(`ok: ${name}`)
  }
else {
  const { parentPort } = await import('node:worker_threads')
  parentPort.postMessage((await run('echo', ['from a worker'])).stdout)
}
