// SPDX-License-Identifier: Apache-2.0
// How long `hutch why` takes among many groups, the whole process by the built CLI, beside a bare start of Node, in turns.
//   node bench/why.js [--groups N] [--runs N]
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Cgroup } from '../dist/index.js'

const { values } = parseArgs({
  options: { groups: { type: 'string', default: '1000' }, runs: { type: 'string', default: '15' } },
})
const groups = Number(values.groups)
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
const top = `/hutch-bench-${process.pid}`
const all = await Cgroup.create(top)
try {
  for (let i = 0; i < groups; i++) await Cgroup.create(`${top}/bench-${process.pid}-${i}`)
  const name = `bench-${process.pid}-${groups >> 1}`
  const cases = {
    'node -e 0': ['-e', '0'],
    'why by path': ['dist/cli.cjs', 'why', `${top}/${name}`],
    'why by name': ['dist/cli.cjs', 'why', name],
    'why of the group above all': ['dist/cli.cjs', 'why', top],
  }
  const times = new Map(Object.keys(cases).map((key) => [key, []]))
  for (let run = 0; run < Number(values.runs); run++)
    for (const [key, args] of Object.entries(cases)) {
      const before = performance.now()
      spawnSync(process.execPath, args, { env, stdio: 'ignore' })
      times.get(key).push(performance.now() - before)
    }
  for (const [key, list] of times) {
    list.sort((a, b) => a - b)
    console.log(`${key.padEnd(28)} median ${Math.round(list[list.length >> 1])} ms, least ${Math.round(list[0])} ms`)
  }
} finally {
  await all.remove({ recursive: true })
}
