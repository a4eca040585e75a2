// SPDX-License-Identifier: Apache-2.0
// A look at all groups as metrics, and what else the machine has to be asked for.
import { statSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { readGroupFile } from '../../cgroup/files.ts'
import type { Host } from '../../host/host.ts'
import { encodePath } from '../../text/non-utf8.ts'
import type { Survey } from '../sampler.ts'
import { addMachine, type Family, makeMetrics } from './metrics.ts'

/**
 * Whoever asks sooner after a look gets the same answer, so that askers cannot keep a processor busy: for twice as long as the
 * look took, within these.
 */
const [leastFreshMs, mostFreshMs] = [200, 1000]

export interface Look {
  /** Milliseconds since 1970. */
  time: number
  families: Family[]
}

export function openLook(host: Host, survey: Survey): () => Look {
  const machine = { cpus: cpus().length, memory: totalmem() }
  const startOf = findStarts(host)
  let last: Look | undefined
  let freshUntil = 0
  return () => {
    const at = performance.now()
    if (last && at < freshUntil) return last
    const snapshot = addMachine(survey.sample(true), readGroupFile('/proc', 'meminfo'))
    const tookMs = performance.now() - at
    const families = makeMetrics(snapshot, { tookMs, machine, nameOf: nameDevice, startOf })
    last = { time: snapshot.time, families }
    const now = performance.now()
    freshUntil = now + Math.min(Math.max(leastFreshMs, 2 * (now - at)), mostFreshMs)
    return last
  }
}

/** As cAdvisor has it; the numbers of one that is gone. */
function nameDevice(device: string): string {
  const name = /^DEVNAME=(.+)$/m.exec(readGroupFile(`/sys/dev/block/${device}`, 'uevent') ?? '')?.[1]
  return name === undefined ? device : `/dev/${name}`
}

/**
 * When a group was made: the earliest of the times that its directory has, since each of them may be set anew: by a look
 * into it, by a group that is made in it, or when the kernel had forgotten it.
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
        // it may not be looked into
        return []
      }
    })
    return times.length > 0 ? Math.min(...times) : undefined
  }
}
