// SPDX-License-Identifier: Apache-2.0
// What `hutch dashboard` costs with 1,000 groups: CPU time and memory with a page open and with none, beside openSampler alone, and memory after an hour
// in which every group changes at every look (hurried.js), with a page open that asks for the past and the processes of a group as pages do.
//   node bench/dashboard.js [--groups N] [--busy N] [--seconds N] [--looks N]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { layout, openSampler } from '../dist/index.js'
import { makeGroups } from './groups.js'
import { makeHurried } from './hurried.js'

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '1000' },
    busy: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '30' },
    looks: { type: 'string', default: '3600' },
  },
})
const seconds = Number(values.seconds)
const looks = Number(values.looks)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const megabytes = (pid, what = 'VmRSS') =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
/** CPU time in ms; a tick is 10. */
const used = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

const children = []
const start = async (file) => {
  const server = spawn(process.execPath, [file, 'dashboard', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(server)
  const [line] = await once(server.stdout, 'data')
  const { port, hash } = new URL(String(line).trim())
  return { server, port, headers: { authorization: `Bearer ${hash.slice('#token='.length)}` } }
}
const get = ({ port, headers }, path, told) => {
  const sent = request({ host: '127.0.0.1', port, path, headers }, (response) => {
    response.on('data', told)
    response.on('error', () => {})
  })
  sent.on('error', () => {})
  sent.end()
  return sent
}

const made = await makeGroups(Number(values.groups), Number(values.busy))
const hurried = makeHurried()
try {
  console.log(
    `${values.groups} groups, ${values.busy} of them busy, ${layout().layout}, Linux ${release()}, ${cpus()[0]?.model}; over ${seconds} s`,
  )
  if (seconds > 0) {
    const calm = await start('dist/cli.cjs')
    const { pid } = calm.server
    const measure = async (name) => {
      await pause(5000)
      const before = used(pid)
      await pause(seconds * 1000)
      const share = (used(pid) - before) / (seconds * 10)
      console.log(
        `${name.padEnd(24)} ${share.toFixed(2).padStart(6)} % of a CPU   ${megabytes(pid).toFixed(0).padStart(5)} MiB`,
      )
    }
    const survey = openSampler()
    survey.sample()
    const begun = process.cpuUsage()
    for (let i = 0; i < seconds; i++) {
      await pause(1000)
      survey.sample()
    }
    const { user, system } = process.cpuUsage(begun)
    survey.close()
    console.log(
      `${'openSampler alone'.padEnd(24)} ${((user + system) / seconds / 1e4).toFixed(2).padStart(6)} % of a CPU`,
    )
    await measure('nobody watches')
    let bytes = 0
    const sent = get(calm, '/events', (data) => {
      bytes += data.length
    })
    await measure('a page is open')
    console.log(`sent to the page: ${(bytes / (seconds + 5) / 1024).toFixed(1)} KiB/s`)
    sent.destroy()
    calm.server.kill('SIGTERM')
  }
  const hour = await start(hurried.file)
  const { path } = made.groups[0]
  const sizes = []
  let seen = 0
  await new Promise((resolve) => {
    get(hour, '/events', (data) => {
      for (const _ of String(data).matchAll(/^event: /gm)) {
        if (++seen % 10 !== 0) continue
        get(hour, `/processes?group=${path}`, () => {})
        if (seen > looks * 0.9) sizes.push(megabytes(hour.server.pid))
        if (seen % 500 === 0) get(hour, `/history?group=${path}`, () => {})
      }
      if (seen >= looks) resolve()
    })
  })
  sizes.sort((a, b) => a - b)
  const [least, median, most] = [sizes[0], sizes[sizes.length >> 1], sizes.at(-1)].map((size) => size.toFixed(0))
  console.log(
    `after ${looks} looks at which all change: ${median} MiB (${least} to ${most} over the last tenth, ${megabytes(hour.server.pid, 'VmHWM').toFixed(0)} at the most ever)`,
  )
} finally {
  for (const child of children) child.kill('SIGKILL')
  hurried.remove()
  await made.remove()
}
