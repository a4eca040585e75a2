// SPDX-License-Identifier: Apache-2.0
// A look at all groups as metrics, and what else the machine has to be asked for.
import { statSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { readGroupFile } from '../../cgroup/files.ts'
import type { Host } from '../../host/host.ts'
import { addMachine, type Family, makeMetrics } from '../../survey/metrics.ts'
import type { Survey } from '../../survey/survey.ts'

/** Whoever asks more often than this gets the same answer, so that askers cannot keep a processor busy. */
const freshMs = 200

export interface Look {
  /** Milliseconds since 1970. */
  time: number
  families: Family[]
}

export function openLook(host: Host, survey: Survey): () => Look {
  const machine = { cpus: cpus().length, memory: totalmem() }
  const startOf = findStarts(host)
  let last: (Look & { at: number }) | undefined
  return () => {
    const at = performance.now()
    if (last && at - last.at < freshMs) return last
    const snapshot = addMachine(survey.sample(true), readGroupFile('/proc', 'meminfo'))
    const tookMs = performance.now() - at
    const families = makeMetrics(snapshot, { tookMs, machine, nameOf: nameDevice, startOf })
    last = { at, time: snapshot.time, families }
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
        const found = statSync(`${mount}${path}`, { throwIfNoEntry: false })
        return found ? [found.atimeMs, found.mtimeMs, found.ctimeMs] : []
      } catch {
        // it may not be looked into
        return []
      }
    })
    return times.length > 0 ? Math.min(...times) : undefined
  }
}
