// SPDX-License-Identifier: Apache-2.0
// What `hutch dashboard` costs with 1,000 groups: CPU time and memory with a page open and with none, beside openSurvey alone, and memory after an hour in
// which every group changes at every look (simulated: the same history and marks, fed as fast as they take it).
//   node bench/dashboard.js [--groups N] [--busy N] [--seconds N]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { buildSync } from 'esbuild'
import { Cgroup, layout, openSurvey } from '../dist/index.js'

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '1000' },
    busy: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '30' },
  },
})
const count = Number(values.groups)
const seconds = Number(values.seconds)
const top = `/hutch-bench-${process.pid}`
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const megabytes = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
/** CPU time in ms; a tick is 10. */
const used = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

const hour = `
import { makeHistory } from './src/dashboard/history.ts'
import { makeMarks } from './src/dashboard/marks.ts'
const history = makeHistory(), marks = makeMarks()
for (let look = 0; look < 3600; look++) {
  const rows = new Map()
  for (let i = 0; i < ${count}; i++)
    rows.set('/group-' + i, { populated: true, cpus: Math.random(), cpuMax: 0.5, memory: look * i, memoryMax: 1e9, pids: 3, pidsMax: 10, oomKills: look % 60 ? 0 : look, pidsRefused: 0, throttled: Math.random(), cpuStalled: 0.1, memoryStalled: 0, ioStalled: 0, readBytes: 1, writtenBytes: 2 })
  marks.take(look * 1000, Object.fromEntries(rows), () => true)
  marks.fresh()
  history.add(look * 1000, rows)
}
console.log(process.memoryUsage().rss / 1048576, history.of('/group-5').times.length)
`

const root = await Cgroup.create(top)
const children = []
try {
  const groups = []
  for (let i = 0; i < count; i++) groups.push(await Cgroup.create(`${top}/g${i}`))
  // each of these forks, allocates and sleeps all the time
  for (const group of groups.slice(0, Number(values.busy))) {
    const child = spawn('sh', ['-c', 'while :; do sleep 0.3; done'], { stdio: 'ignore' })
    children.push(child)
    await group.add(child.pid)
  }
  const server = spawn(process.execPath, ['dist/cli.cjs', 'dashboard', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(server)
  const [line] = await once(server.stdout, 'data')
  const { port, hash } = new URL(String(line).trim())
  console.log(
    `${count} groups, ${values.busy} of them busy, ${layout().layout}, Linux ${release()}, ${cpus()[0]?.model}; over ${seconds} s`,
  )
  const measure = async (name) => {
    await pause(5000)
    const before = used(server.pid)
    await pause(seconds * 1000)
    const share = (used(server.pid) - before) / (seconds * 10)
    console.log(
      `${name.padEnd(24)} ${share.toFixed(2).padStart(6)} % of a CPU   ${megabytes(server.pid).toFixed(0).padStart(5)} MiB`,
    )
  }
  const survey = openSurvey()
  survey.sample()
  const begun = process.cpuUsage()
  for (let i = 0; i < seconds; i++) {
    await pause(1000)
    survey.sample()
  }
  const { user, system } = process.cpuUsage(begun)
  survey.close()
  console.log(`${'openSurvey alone'.padEnd(24)} ${((user + system) / seconds / 1e4).toFixed(2).padStart(6)} % of a CPU`)
  await measure('nobody watches')
  let bytes = 0
  const headers = { authorization: `Bearer ${hash.slice('#token='.length)}` }
  const sent = request({ host: '127.0.0.1', port, path: '/events', headers }, (response) => {
    response.on('data', (data) => {
      bytes += data.length
    })
    response.on('error', () => {})
  })
  sent.on('error', () => {})
  sent.end()
  await measure('a page is open')
  console.log(`sent to the page: ${(bytes / (seconds + 5) / 1024).toFixed(1)} KiB/s`)
  sent.destroy()
  const { outputFiles } = buildSync({
    stdin: { contents: hour, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
  })
  const simulated = spawn(process.execPath, ['-e', outputFiles[0].text], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [rss] = await once(simulated.stdout, 'data')
  console.log(`an hour in which all change: ${Number(String(rss).split(' ')[0]).toFixed(0)} MiB`)
} finally {
  for (const child of children) child.kill('SIGKILL')
  await root.remove({ recursive: true, kill: true })
}
