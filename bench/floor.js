// SPDX-License-Identifier: Apache-2.0
// Where the floor is: what a start costs by system calls alone, part by part, all in turns; µs. `more`: than the row it builds on, by p10.
//   node bench/floor.js [--runs N] [--program PATH] [--json FILE]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { busyboxRoot, floor } from './contenders.js'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    program: { type: 'string', default: '/bin/busybox' },
    json: { type: 'string' },
  },
})

const directory = mkdtempSync(`${tmpdir()}/hutch-floor-`)
const root = `root=${busyboxRoot(directory)}`
const kinds = ['mount', 'cgroup', 'uts', 'ipc', 'pid', 'net', 'user', 'time']
const others = kinds.filter((kind) => kind !== 'net')
const mounts = ['tmp', 'proc', 'covers', 'sys', 'dev', 'pts', 'shm', 'mqueue']
/** What is started, and the row that it is compared with. */
const rows = [
  ['clone, exec, wait', [], undefined],
  ...kinds.map((kind) => [`a ${kind} namespace`, [kind], 0]),
  ['all but net', others, 0],
  ['all eight', kinds, 0],
  ['a network namespace and its loopback up', ['net', 'lo'], 0],
  ['a process beside it', ['init'], 0],
  ['a root: copy, pivot_root, umount', ['mount', root], 1],
  ...mounts.map((one, i) => [
    `and ${one}`,
    ['mount', 'pid', 'ipc', 'user', 'net', root, ...mounts.slice(0, i + 1)],
    undefined,
  ]),
  ['all of it', [...kinds, 'init', 'lo', root, ...mounts], 0],
]

const made = rows.map(([name, what, base]) => ({
  name,
  base,
  ...floor(what.some((word) => word.startsWith('root=')) ? '/bin/true' : values.program, directory, what),
  samples: [],
}))
try {
  for (let round = -5; round < Number(values.runs); round++)
    for (let i = 0; i < made.length; i++) {
      const one = made[(i + Math.max(round, 0)) % made.length]
      const ms = await one.run()
      if (round >= 0) one.samples.push(ms)
    }
} finally {
  for (const { close } of made) close()
  rmSync(directory, { recursive: true, force: true })
}

/** Of sorted samples, in µs: the median, and what it is when nothing else disturbs. */
const at = ({ samples }, q) => 1000 * samples[Math.floor(samples.length * q)]
for (const { samples } of made) samples.sort((a, b) => a - b)
const us = (value) => value.toFixed(0).padStart(8)
console.log(`${values.runs} starts of ${values.program} each, Linux ${release()}, Node ${process.version}; µs`)
console.log(`${''.padEnd(44)}${['p50', 'p10', 'more'].map((word) => word.padStart(8)).join('')}`)
made.forEach((one, i) => {
  const from = one.name.startsWith('and ') && one.name !== `and ${mounts[0]}` ? i - 1 : one.base
  const more = from === undefined ? '' : us(at(one, 0.1) - at(made[from], 0.1))
  console.log(`${one.name.padEnd(44)}${us(at(one, 0.5))}${us(at(one, 0.1))}${more}`)
})
if (values.json)
  writeFileSync(
    values.json,
    `${JSON.stringify(
      made.map((one) => ({ name: one.name, p50: at(one, 0.5), p10: at(one, 0.1) })),
      null,
      2,
    )}\n`,
  )
