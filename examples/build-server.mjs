// SPDX-License-Identifier: Apache-2.0
// A build server: all builds share one group, so together they never take more than their part of the machine.
//   node examples/build-server.mjs
import { Cgroup, RunError, run } from 'hutch'

const builds = [
  { name: 'docs', script: 'echo docs are built' },
  { name: 'tests', script: 'echo one test failed >&2; exit 1' },
]

/** Returns one line about a build. */
async function build(group, { name, script }) {
  try {
    const { stdout } = await run('sh', ['-c', script], {
      parent: group.path,
      limits: { memory: '512M', pids: 100 },
      timeout: '10m',
      reject: true,
      stripFinalNewline: true,
    })
    return `${name}: ${stdout}`
  } catch (error) {
    if (!(error instanceof RunError)) throw error
    return `${name}: status ${error.status}: ${error.stderr}`
  }
}

const group = await Cgroup.create(`builds-${process.pid}`, { limits: { memory: '1G', cpus: 1 } })
try {
  for (const line of await Promise.all(builds.map((one) => build(group, one)))) console.log(line)
  console.log(`limit of all builds: ${group.get('memory') / 2 ** 20} MiB, ${group.get('cpus')} CPU`)
} finally {
  await group.remove({ recursive: true, kill: true })
}
