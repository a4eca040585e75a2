// SPDX-License-Identifier: Apache-2.0
// Turns a sample of all groups into metrics, and adds the machine's own figures.
import { statSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { readGroupFile } from '../../cgroup/files.ts'
import type { Host } from '../../host/host.ts'
import { encodePath } from '../../text/non-utf8.ts'
import type { Sampler } from '../sampler.ts'
import { addMachine, type MetricFamily, makeMetrics } from './metrics.ts'

/**
 * For how long a sample is reused for further requests, so that clients cannot keep a processor busy. Twice the
 * duration of taking the sample, within these bounds.
 */
const [minFreshMs, maxFreshMs] = [200, 1000]

export interface MetricsSample {
  /** Milliseconds since 1970. */
  time: number
  families: MetricFamily[]
}

export function openCollector(host: Host, survey: Sampler): () => MetricsSample {
  const machine = { cpus: cpus().length, memory: totalmem() }
  const startOf = findStarts(host)
  let last: MetricsSample | undefined
  let freshUntil = 0
  return () => {
    const at = performance.now()
    if (last && at < freshUntil) return last
    const snapshot = addMachine(survey.sample(true), readGroupFile('/proc', 'meminfo'))
    const tookMs = performance.now() - at
    const families = makeMetrics(snapshot, { tookMs, machine, nameOf: nameDevice, startOf })
    last = { time: snapshot.time, families }
    const now = performance.now()
    freshUntil = now + Math.min(Math.max(minFreshMs, 2 * (now - at)), maxFreshMs)
    return last
  }
}

/** Returns the name of a block device in cAdvisor's form, such as `/dev/sda`. Returns its numbers if the device was removed. */
function nameDevice(device: string): string {
  const name = /^DEVNAME=(.+)$/m.exec(readGroupFile(`/sys/dev/block/${device}`, 'uevent') ?? '')?.[1]
  return name === undefined ? device : `/dev/${name}`
}

/**
 * Returns when a group was created: the earliest timestamp of its directory. A single timestamp can be newer: reading,
 * a new child group, or dropped kernel caches update it.
 */
function findStarts({ unified, v1 }: Host): (path: string) => number | undefined {
  const legacy = v1.memory ?? Object.values(v1)[0]
  const mounts = [unified, legacy].flatMap((hierarchy) => (hierarchy ? [hierarchy.mount] : []))
  return (path) => {
    const times = mounts.flatMap((mount) => {
      try {
        const found = statSync(encodePath(`${mount}${path}`), { throwIfNoEntry: false })
        return found ? [found.atimeMs, found.mtimeMs, found.ctimeMs] : []
      } catch {
        // the directory may not be readable for this user
        return []
      }
    })
    return times.length > 0 ? Math.min(...times) : undefined
  }
}
