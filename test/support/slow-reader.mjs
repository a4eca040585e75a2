// SPDX-License-Identifier: Apache-2.0
// Reads a job's output slowly, in a process of its own so that no other memory is measured: node --expose-gc slow-reader.mjs WAY MIB FILE.
// Prints as JSON, in MiB: `held` (growth of buffers and heap after collections), `rss` (its growth), `readAtEnd` (bytes read when the
// command had written everything and created FILE).
import { existsSync, rmSync } from 'node:fs'
import { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { start } from '../../dist/index.js'

const [way, size, file] = process.argv.slice(2)
const mebibyte = 2 ** 20
const options = { isolate: 'none' }

/** Yields the length of each piece of the output of a command, by each way to read it. */
const ways = {
  /** Keeps everything, for comparison. */
  async *kept(script) {
    const all = []
    for await (const chunk of (await start('sh', ['-c', script], options)).stdout) {
      all.push(chunk)
      yield chunk.length
    }
  },
  async *stdout(script) {
    for await (const chunk of (await start('sh', ['-c', script], options)).stdout) yield chunk.length
  },
  async *all(script) {
    for await (const chunk of (await start('sh', ['-c', script], { ...options, all: true })).all) yield chunk.length
  },
  async *lines(script) {
    const lines = script.replace(/^/, 'while :; do printf "%65535s\\n" || exit; done | ').replace('/dev/zero', '')
    for await (const line of await start('sh', ['-c', lines], options)) yield line.length + 1
  },
  async *'a maximum of output'(script) {
    const job = await start('sh', ['-c', script], { ...options, maxOutput: '1G' })
    for await (const chunk of job.stdout) yield chunk.length
  },
  async *'another job'(script) {
    const job = await start('sh', ['-c', script], options)
    for await (const chunk of job.pipe(await start('cat', options)).stdout) yield chunk.length
  },
  async *'descriptor 3'(script) {
    const stdio = ['ignore', 'ignore', 'inherit', 'pipe']
    const job = await start('sh', ['-c', script.replace(';', ' >&3;')], { ...options, stdio })
    for await (const chunk of job.stdio[3]) yield chunk.length
  },
  async *'a stream of the caller'(script) {
    let next = () => {}
    const pieces = []
    const write = (chunk, _, done) => {
      pieces.push([chunk.length, done])
      next()
    }
    const sink = new Writable({ write, final: (done) => (pieces.push([0, done]), next()) })
    const job = await start('sh', ['-c', script], { ...options, stdio: ['ignore', sink, 'inherit'] })
    for (;;) {
      if (pieces.length === 0) await new Promise((resolve) => (next = resolve))
      const [length, done] = pieces.shift()
      if (length > 0) yield length
      done()
      if (length === 0) break
    }
    await job.result
  },
}

async function read(mebibytes) {
  rmSync(file, { force: true })
  const [total, peak] = [mebibytes * mebibyte, { held: 0, rss: 0 }]
  let [got, measured, readAtEnd] = [0, 0, total]
  for await (const length of ways[way](`head -c ${total} /dev/zero; : >${file}`)) {
    got += length
    peak.rss = Math.max(peak.rss, process.memoryUsage.rss())
    if (got - measured < mebibyte) continue
    measured = got
    await pause(2)
    if (readAtEnd === total && existsSync(file)) readAtEnd = got
    globalThis.gc()
    const { arrayBuffers, heapUsed } = process.memoryUsage()
    peak.held = Math.max(peak.held, arrayBuffers + heapUsed)
  }
  if (got !== total) throw new Error(`${got} bytes of ${total}`)
  return { ...peak, readAtEnd }
}

await read(8)
globalThis.gc()
const { arrayBuffers, heapUsed, rss } = process.memoryUsage()
const peak = await read(Number(size))
const inMebibytes = (bytes) => Math.round((bytes / mebibyte) * 10) / 10
console.log(
  JSON.stringify({
    held: inMebibytes(peak.held - arrayBuffers - heapUsed),
    rss: inMebibytes(peak.rss - rss),
    readAtEnd: inMebibytes(peak.readAtEnd),
  }),
)
