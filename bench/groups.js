// SPDX-License-Identifier: Apache-2.0
// Groups to be looked at: `count` of them, in the first `busy` of which a shell forks all the time.
import { spawn } from 'node:child_process'
import { Cgroup } from '../dist/index.js'

/** Nothing of them is left after `remove`. */
export async function makeGroups(count, busy) {
  const root = await Cgroup.create(`/hutch-bench-${process.pid}`)
  const groups = []
  const children = []
  for (let i = 0; i < count; i++) groups.push(await Cgroup.create(`${root.path}/g${i}`))
  for (const group of groups.slice(0, busy)) {
    const child = spawn('sh', ['-c', 'while :; do sleep 0.3; done'], { stdio: 'ignore' })
    children.push(child)
    await group.add(child.pid)
  }
  return {
    groups,
    async remove() {
      for (const child of children) child.kill('SIGKILL')
      await root.remove({ recursive: true, kill: true })
    },
  }
}
