// SPDX-License-Identifier: Apache-2.0
// The texts of kernel files → a group's figures: pure. A draft takes each text that changed, and a sample is made of it.

import { readIoStat } from '../cgroup/legacy-io.ts'
import { readLegacy } from '../cgroup/legacy-read.ts'
import { findFlat, parseNumber } from '../cgroup/stats.ts'
import type { DeviceIo, GroupSample, Pressure } from './sample.ts'

/** What the files said last; what one version has under another name is put together in `makeSample`. */
export interface Draft extends GroupSample {
  inactiveFile: number | undefined
  /** By v1's freezer, which a hybrid host has beside the other. */
  frozenLegacy: boolean | undefined
  /** v1: nanoseconds; the v2 tree counts for all that are in it. */
  cpuacct: number | undefined
  cpuacctUser: number | undefined
  cpuacctSystem: number | undefined
  /** v1's files that are small or seldom change, as they are. */
  texts: { [file: string]: string | undefined } | undefined
}

/** Takes in one file's text, or that it is gone. */
export type Take = (draft: Draft, text: string | undefined) => void

export function emptyDraft(): Draft {
  return {
    populated: undefined,
    frozen: undefined,
    cpuUsec: undefined,
    userUsec: undefined,
    systemUsec: undefined,
    periods: undefined,
    throttledPeriods: undefined,
    throttledUsec: undefined,
    cpuMax: undefined,
    memory: undefined,
    memoryMax: undefined,
    memoryPeak: undefined,
    workingSet: undefined,
    anon: undefined,
    file: undefined,
    swap: undefined,
    swapMax: undefined,
    oomKills: undefined,
    pids: undefined,
    pidsMax: undefined,
    pidsRefused: undefined,
    io: undefined,
    cpuPressure: undefined,
    memoryPressure: undefined,
    ioPressure: undefined,
    inactiveFile: undefined,
    frozenLegacy: undefined,
    cpuacct: undefined,
    cpuacctUser: undefined,
    cpuacctSystem: undefined,
    texts: undefined,
  }
}

type Kept = 'memory' | 'memoryPeak' | 'pids' | 'swap' | 'cpuacct' | 'cpuacctUser' | 'cpuacctSystem'

const number =
  (key: Kept): Take =>
  (draft, text) => {
    draft[key] = parseNumber(text)
  }

const limit =
  (key: 'memoryMax' | 'swapMax' | 'pidsMax'): Take =>
  (draft, text) => {
    draft[key] = parseLimit(text)
  }

const pressure =
  (key: 'cpuPressure' | 'memoryPressure' | 'ioPressure'): Take =>
  (draft, text) => {
    draft[key] = parseStalls(text)
  }

/** Cheap files, one of which changes whenever something happens in a group: so long as none does, the others are looked at seldom. */
export const signsOfLife: ReadonlySet<string> = new Set([
  'cgroup.events',
  'cpu.stat',
  'memory.current',
  'pids.current',
  'io.stat',
  'memory.usage_in_bytes',
  'cpuacct.usage',
  'blkio.throttle.io_service_bytes_recursive',
  'freezer.state',
])

/** The v2 tree's files by controller; '' is what every group of it has. */
export const unifiedFiles: { [controller: string]: { [file: string]: Take } } = {
  '': {
    'cgroup.events': (draft, text) => {
      draft.populated = asFlag(findFlat(text, 'populated'))
      draft.frozen = asFlag(findFlat(text, 'frozen'))
    },
    'cpu.stat': (draft, text) => {
      draft.cpuUsec = findFlat(text, 'usage_usec')
      draft.userUsec = findFlat(text, 'user_usec')
      draft.systemUsec = findFlat(text, 'system_usec')
      // only where the cpu controller is: else v1's is heard
      const periods = findFlat(text, 'nr_periods')
      if (periods === undefined) return
      draft.periods = periods
      draft.throttledPeriods = findFlat(text, 'nr_throttled')
      draft.throttledUsec = findFlat(text, 'throttled_usec')
    },
    'cpu.pressure': pressure('cpuPressure'),
    'memory.pressure': pressure('memoryPressure'),
    'io.pressure': pressure('ioPressure'),
  },
  cpu: {
    'cpu.max': (draft, text) => {
      draft.cpuMax = parseCpuMax(text)
    },
  },
  memory: {
    'memory.current': number('memory'),
    'memory.max': limit('memoryMax'),
    'memory.peak': number('memoryPeak'),
    'memory.swap.current': number('swap'),
    'memory.swap.max': limit('swapMax'),
    'memory.events': (draft, text) => {
      draft.oomKills = findFlat(text, 'oom_kill')
    },
    'memory.stat': (draft, text) => {
      draft.anon = findFlat(text, 'anon')
      draft.file = findFlat(text, 'file')
      draft.inactiveFile = findFlat(text, 'inactive_file')
    },
  },
  pids: {
    'pids.current': number('pids'),
    'pids.max': limit('pidsMax'),
    'pids.events': (draft, text) => {
      draft.pidsRefused = findFlat(text, 'max')
    },
  },
  io: {
    'io.stat': (draft, text) => {
      draft.io = parseIoStat(text)
    },
  },
}

/** Keeps the text, and puts together what v2 would say. */
const translated =
  (file: string, to: string, take: Take): Take =>
  (draft, text) => {
    draft.texts ??= {}
    draft.texts[file] = text?.trimEnd()
    take(
      draft,
      readLegacy(to, (_, name) => draft.texts![name]),
    )
  }

const legacyMax = (file: string): Take => {
  const both: Take = translated(file, 'memory.max', limit('memoryMax'))
  const swap: Take = translated(file, 'memory.swap.max', limit('swapMax'))
  return (draft, text) => {
    both(draft, text)
    swap(draft, text)
  }
}

const legacyIo =
  (file: string): Take =>
  (draft, text) => {
    draft.texts ??= {}
    draft.texts[file] = text
    draft.io = parseIoStat(readIoStat((name) => draft.texts![name]))
  }

const cpuMax: Take = unifiedFiles.cpu!['cpu.max']!

/** v1's, by controller. */
export const legacyFiles: { [controller: string]: { [file: string]: Take } } = {
  memory: {
    'memory.usage_in_bytes': number('memory'),
    'memory.limit_in_bytes': legacyMax('memory.limit_in_bytes'),
    'memory.memsw.limit_in_bytes': legacyMax('memory.memsw.limit_in_bytes'),
    'memory.max_usage_in_bytes': number('memoryPeak'),
    'memory.oom_control': unifiedFiles.memory!['memory.events']!,
    'memory.stat': (draft, text) => {
      draft.anon = findFlat(text, 'total_rss')
      draft.file = findFlat(text, 'total_cache')
      draft.swap = findFlat(text, 'total_swap')
      draft.inactiveFile = findFlat(text, 'total_inactive_file')
    },
  },
  cpu: {
    'cpu.stat': (draft, text) => {
      draft.periods = findFlat(text, 'nr_periods')
      draft.throttledPeriods = findFlat(text, 'nr_throttled')
      const time = findFlat(text, 'throttled_time')
      draft.throttledUsec = time === undefined ? undefined : Math.round(time / 1000)
    },
    'cpu.cfs_quota_us': translated('cpu.cfs_quota_us', 'cpu.max', cpuMax),
    'cpu.cfs_period_us': translated('cpu.cfs_period_us', 'cpu.max', cpuMax),
  },
  cpuacct: {
    'cpuacct.usage': number('cpuacct'),
    'cpuacct.usage_user': number('cpuacctUser'),
    'cpuacct.usage_sys': number('cpuacctSystem'),
  },
  pids: unifiedFiles.pids!,
  blkio: {
    'blkio.throttle.io_service_bytes_recursive': legacyIo('blkio.throttle.io_service_bytes_recursive'),
    'blkio.throttle.io_serviced_recursive': legacyIo('blkio.throttle.io_serviced_recursive'),
  },
  freezer: {
    'freezer.state': (draft, text) => {
      draft.frozenLegacy = text === undefined ? undefined : text.startsWith('FROZEN')
    },
  },
}

/** The figures as they stand now. */
export function makeSample(draft: Draft): GroupSample {
  const { memory, inactiveFile, populated, pids } = draft
  return {
    // on a hybrid host its processes may be in v1's hierarchies alone
    populated: pids === undefined ? populated : pids > 0 || populated === true,
    frozen: draft.frozenLegacy ? true : (draft.frozen ?? draft.frozenLegacy),
    cpuUsec: draft.cpuUsec ?? toUsec(draft.cpuacct),
    userUsec: draft.userUsec ?? toUsec(draft.cpuacctUser),
    systemUsec: draft.systemUsec ?? toUsec(draft.cpuacctSystem),
    periods: draft.periods,
    throttledPeriods: draft.throttledPeriods,
    throttledUsec: draft.throttledUsec,
    cpuMax: draft.cpuMax,
    memory,
    memoryMax: draft.memoryMax,
    memoryPeak: draft.memoryPeak,
    workingSet: memory === undefined || inactiveFile === undefined ? undefined : Math.max(0, memory - inactiveFile),
    anon: draft.anon,
    file: draft.file,
    swap: draft.swap,
    swapMax: draft.swapMax,
    oomKills: draft.oomKills,
    pids,
    pidsMax: draft.pidsMax,
    pidsRefused: draft.pidsRefused,
    io: draft.io,
    cpuPressure: draft.cpuPressure,
    memoryPressure: draft.memoryPressure,
    ioPressure: draft.ioPressure,
  }
}

function toUsec(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : Math.round(nanoseconds / 1000)
}

function asFlag(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value === 1
}

function parseLimit(text: string | undefined): number | 'max' | undefined {
  return text?.trimEnd() === 'max' ? 'max' : parseNumber(text)
}

/** `50000 100000` → half a CPU. */
function parseCpuMax(text: string | undefined): number | 'max' | undefined {
  const [quota, period] = text?.trimEnd().split(' ') ?? []
  if (quota === 'max') return 'max'
  const cpus = Number(quota) / Number(period)
  return Number.isFinite(cpus) ? cpus : undefined
}

const stalls =
  /^some avg10=([\d.]+) avg60=\S+ avg300=\S+ total=(\d+)(?:\nfull avg10=([\d.]+) avg60=\S+ avg300=\S+ total=(\d+))?/

function parseStalls(text: string | undefined): Pressure | undefined {
  const [, someAvg, someTotal, fullAvg, fullTotal] = stalls.exec(text ?? '') ?? []
  if (someTotal === undefined) return undefined
  return {
    some: { avg10: Number(someAvg), totalUsec: Number(someTotal) },
    full: fullTotal === undefined ? undefined : { avg10: Number(fullAvg), totalUsec: Number(fullTotal) },
  }
}

/** `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`; a device without figures has nothing behind it. */
function parseIoStat(text: string | undefined): { [device: string]: DeviceIo } | undefined {
  if (text === undefined) return undefined
  const devices: { [device: string]: DeviceIo } = {}
  for (const [, device, read, written, reads, writes] of text.matchAll(
    /^(\d+:\d+) rbytes=(\d+) wbytes=(\d+) rios=(\d+) wios=(\d+)/gm,
  ))
    devices[device!] = {
      readBytes: Number(read),
      writtenBytes: Number(written),
      reads: Number(reads),
      writes: Number(writes),
    }
  return devices
}
