// SPDX-License-Identifier: Apache-2.0
// What it costs to know what 1,000 groups use: hutch, a loop of fs.promises over the same files, and cgget -a, in turns, by medians.
//   node bench/stats.js [--groups N] [--rounds N] [--json FILE]
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { Cgroup, layout, openStats } from '../dist/index.js'

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '9' },
    json: { type: 'string' },
  },
})
const count = Number(values.groups)
const top = `/hutch-bench-${process.pid}`

/** The files whose figures stats() gives, in a group of this layout. */
const wanted =
  /^(cgroup\.events|cpu\.stat|io\.stat|memory\.(current|peak|swap\.current|stat|events|usage_in_bytes|max_usage_in_bytes|memsw\.usage_in_bytes|failcnt|oom_control)|pids\.(current|peak|events)|blkio\.throttle\.io_(service_bytes|serviced))$/

const root = await Cgroup.create(top)
try {
  const groups = []
  for (let i = 0; i < count; i++) groups.push(await Cgroup.create(`${top}/g${i}`))

  /** As a monitor in Node does it: every file of every group, all files of a group at once. */
  const paths = []
  for (const group of groups) {
    const own = []
    for (const directory of new Set(Object.values(group.directories)))
      for (const name of await readdir(directory)) if (wanted.test(name)) own.push(`${directory}/${name}`)
    paths.push(own)
  }

  const reader = openStats(groups)
  const cgget = ['/usr/bin/cgget', '/bin/cgget'].find((path) => existsSync(path))
  const contenders = [
    { key: 'reader', name: 'hutch, files kept open (openStats)', run: () => reader.read() },
    {
      key: 'once',
      name: 'hutch, group.stats() of each',
      run: () => {
        for (const group of groups) group.stats()
      },
    },
    {
      key: 'promises',
      name: 'fs.promises.readFile, the same files',
      run: async () => {
        for (const own of paths) await Promise.all(own.map((path) => readFile(path, 'utf8')))
      },
    },
    ...(cgget
      ? [
          {
            key: 'cgget',
            name: 'cgget -a, one process for all',
            run: () =>
              execFileSync(cgget, ['-a', ...groups.map(({ path }) => path)], {
                stdio: ['ignore', 'pipe', 'ignore'],
                maxBuffer: 2 ** 30,
              }),
          },
        ]
      : []),
  ]

  const samples = new Map(contenders.map(({ key }) => [key, []]))
  for (let round = -2; round < Number(values.rounds); round++)
    for (let i = 0; i < contenders.length; i++) {
      const { key, run } = contenders[(i + Math.max(round, 0)) % contenders.length]
      const before = performance.now()
      await run()
      if (round >= 0) samples.get(key).push(performance.now() - before)
    }
  reader.close()

  const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]
  const rows = contenders.map(({ key, name }) => ({ key, name, usec: (1000 * median(samples.get(key))) / count }))
  const best = rows[0].usec
  console.log(
    `${count} groups, ${layout().layout}, Linux ${release()}, ${cpus()[0]?.model}; µs a group, median of ${values.rounds}`,
  )
  for (const { name, usec } of rows)
    console.log(`${name.padEnd(40)} ${usec.toFixed(1).padStart(8)}   ${(usec / best).toFixed(1).padStart(6)} ×`)
  if (values.json) writeFileSync(values.json, JSON.stringify({ count, rows }, null, 2))
} finally {
  await root.remove({ recursive: true })
}
