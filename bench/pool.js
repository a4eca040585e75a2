// SPDX-License-Identifier: Apache-2.0
// A pool at work: starts a second at 1, 8 and 64 at once beside no pool and a bare spawn; or, with --soak, thousands of jobs that
// look for what the ones before them left, and what that leaves in this process.
//   node bench/pool.js [--jobs N] [--rounds N] [--program PATH] [--json FILE]
//   node --expose-gc bench/pool.js --soak [--jobs N] [--at N]
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createPool, run, start } from '../dist/index.js'

const { values } = parseArgs({
  options: {
    soak: { type: 'boolean', default: false },
    jobs: { type: 'string' },
    at: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '5' },
    program: { type: 'string', default: '/bin/true' },
    json: { type: 'string' },
  },
})
const plan = { sandbox: true }

/** `count` jobs, `at` of them at once. */
async function all(count, at, job) {
  let left = count
  const worker = async () => {
    while (left-- > 0) await job()
  }
  await Promise.all(Array.from({ length: at }, worker))
}

function good(status) {
  if (status !== 0) throw new Error(`status ${status}`)
}

async function filled(pool) {
  while (pool.stats().waiting < pool.stats().size) await sleep(2)
}

async function throughput() {
  const { program } = values
  const count = Number(values.jobs ?? 300)
  const bare = () =>
    new Promise((resolve, reject) => {
      const child = spawn(program, [], { stdio: 'ignore' })
      child.once('error', reject)
      child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`status ${code}`))))
    })
  const alone = async () => good((await (await start(program, [], { ...plan, stdio: 'ignore' })).result).status)
  const rows = []
  for (const at of [1, 8, 64]) {
    const pool = await createPool({ size: at, plan })
    const pooled = async () => good((await pool.run([program], { stdio: 'ignore' })).status)
    const contenders = { spawn: bare, sandbox: alone, pool: pooled }
    const rates = Object.fromEntries(Object.keys(contenders).map((key) => [key, []]))
    for (let round = -1; round < Number(values.rounds); round++)
      for (const [key, job] of Object.entries(contenders)) {
        await filled(pool)
        const before = performance.now()
        await all(round < 0 ? at : count, at, job)
        if (round >= 0) rates[key].push((count * 1000) / (performance.now() - before))
      }
    await pool.close()
    const median = (list) => Math.round(list.sort((a, b) => a - b)[Math.floor(list.length / 2)])
    rows.push({ at, ...Object.fromEntries(Object.entries(rates).map(([key, list]) => [key, median(list)])) })
  }
  console.log(
    `starts of ${program} a second, median of ${values.rounds} rounds of ${count}; Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}`,
  )
  console.log(`${'at once'.padEnd(10)}${'bare spawn'.padStart(12)}${'sandbox'.padStart(12)}${'pool'.padStart(12)}`)
  for (const { at, spawn: s, sandbox, pool } of rows)
    console.log(
      `${String(at).padEnd(10)}${String(s).padStart(12)}${String(sandbox).padStart(12)}${String(pool).padStart(12)}`,
    )
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), rows }, null, 2)}\n`)
}

/** Shell words alone, so that what takes time is the pool: what is there; then it leaves all that it can. */
const nosy = `echo /tmp/* /tmp/.[!.]* /dev/shm/* /proc/[0-9]*; pwd; umask; ulimit -n
  echo x > /tmp/left; echo x > /dev/shm/left; cd /; umask 7; ulimit -n 50
  sleep 1000 >/dev/null 2>&1 </dev/null &`

function groups() {
  const root = '/sys/fs/cgroup'
  const places = [root, ...readdirSync(root).map((name) => `${root}/${name}`)].filter((path) =>
    existsSync(`${path}/cgroup.procs`),
  )
  return places.flatMap((path) => readdirSync(path).filter((name) => name.startsWith(`hutch-${process.pid}-`))).length
}

async function look(title) {
  await sleep(100)
  globalThis.gc?.()
  const figures = {
    descriptors: readdirSync('/proc/self/fd').length,
    children: readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).length,
    groups: groups(),
    heapMiB: Math.round((process.memoryUsage().heapUsed / 2 ** 20) * 10) / 10,
    rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
  }
  console.log(title.padEnd(24), JSON.stringify(figures))
  return figures
}

async function soak() {
  const count = Number(values.jobs ?? 10_000)
  // what is opened once, by hutch's reactor and by libuv for the first pipe, is no leak
  good((await run('/bin/true')).status)
  const before = await look('before')
  const pool = await createPool({ size: Number(values.at), plan })
  const seen = new Map()
  const job = async () => {
    const { stdout, status } = await pool.run(['sh', '-c', nosy])
    const told = `${status} ${stdout}`
    seen.set(told, (seen.get(told) ?? 0) + 1)
  }
  const begun = performance.now()
  for (let part = 0; part < 10; part++) {
    await all(count / 10, Number(values.at), job)
    await filled(pool)
    await look(`after ${((part + 1) * count) / 10} jobs`)
  }
  const seconds = (performance.now() - begun) / 1000
  console.log(JSON.stringify(pool.stats()))
  await pool.close()
  const after = await look('pool closed')
  console.log(`${count} jobs, ${values.at} at once, in ${seconds.toFixed(1)} s; ${seen.size} answer(s):`)
  for (const [told, times] of seen) console.log(`${times} × ${JSON.stringify(told)}`)
  const clean = seen.size === 1 && after.children === 0 && after.groups === 0 && after.descriptors <= before.descriptors
  console.log(clean ? '✓ nothing left, nothing seen' : '✗ something was left, or seen')
  process.exitCode = clean ? 0 : 1
}

await (values.soak ? soak() : throughput())
