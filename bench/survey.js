// SPDX-License-Identifier: Apache-2.0
// What it costs to watch 1,000 groups: CPU time of one look by openSampler, by openStats, by reading all the files anew, and by systemd-cgtop.
//   node bench/survey.js [--groups N] [--busy N] [--rounds N] [--json FILE]
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { layout, openSampler, openStats } from '../dist/index.js'
import { makeGroups } from './groups.js'

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '1000' },
    busy: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '20' },
    json: { type: 'string' },
  },
})
const count = Number(values.groups)

/** What openSampler looks at, in a group of this layout. */
const wanted =
  /^(cgroup\.events|cpu\.(stat|max|pressure|cfs_quota_us|cfs_period_us)|(memory|io)\.pressure|io\.stat|memory\.(current|max|peak|swap\.current|swap\.max|stat|events|usage_in_bytes|limit_in_bytes|max_usage_in_bytes|memsw\.limit_in_bytes|oom_control)|pids\.(current|max)|freezer\.state|blkio\.throttle\.io_service(d|_bytes)_recursive)$/

const made = await makeGroups(count, Number(values.busy))
try {
  const { groups } = made
  const paths = groups.flatMap((group) =>
    [...new Set(Object.values(group.directories))].flatMap((directory) =>
      readdirSync(directory)
        .filter((name) => wanted.test(name))
        .map((name) => `${directory}/${name}`),
    ),
  )
  const contenders = [
    { key: 'survey', name: 'hutch, openSampler', open: openSampler, run: (survey) => survey.sample() },
    {
      key: 'reader',
      name: 'hutch, openStats (no limits, no pressure)',
      open: () => openStats(groups),
      run: (reader) => reader.read(),
    },
    {
      key: 'naive',
      name: 'readFileSync, the same files as openSampler',
      open: () => ({ close: () => {} }),
      run: () => paths.map((path) => readFileSync(path, 'utf8')),
    },
  ]
  // one after the other, since what one leaves in the caches and on the heap would be counted for the next
  const samples = new Map()
  for (const { key, open, run } of contenders) {
    const opened = open()
    const times = []
    for (let round = -5; round < Number(values.rounds); round++) {
      // what is busy does something between two looks
      await new Promise((resolve) => setTimeout(resolve, 300))
      const before = process.cpuUsage()
      run(opened)
      const { user, system } = process.cpuUsage(before)
      if (round >= 0) times.push(user + system)
    }
    opened.close()
    samples.set(key, times)
  }
  const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]
  const rows = contenders.map(({ key, name }) => ({ key, name, ms: median(samples.get(key)) / 1000 }))
  if (existsSync('/usr/bin/systemd-cgtop')) {
    const looks = 10
    const script = `systemd-cgtop --batch --iterations=${looks + 1} --delay=300ms --depth=9 >/dev/null; times`
    const times = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n')[1]
    const ms = [...times.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
      (sum, [, m, s]) => sum + 60_000 * Number(m) + 1000 * Number(s),
      0,
    )
    rows.push({ key: 'cgtop', name: 'systemd-cgtop (tasks, CPU, memory, I/O alone)', ms: ms / (looks + 1) })
  }
  console.log(
    `${count} groups, ${values.busy} of them busy, ${layout().layout}, Linux ${release()}, ${cpus()[0]?.model}; CPU time of a look, median of ${values.rounds}`,
  )
  for (const { name, ms } of rows)
    console.log(
      `${name.padEnd(46)} ${ms.toFixed(1).padStart(7)} ms   ${(ms / 10).toFixed(2).padStart(6)} % of a CPU at one look a second`,
    )
  if (values.json) writeFileSync(values.json, JSON.stringify({ count, rows }, null, 2))
} finally {
  await made.remove()
}
