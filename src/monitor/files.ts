// SPDX-License-Identifier: Apache-2.0
// Which files are looked at, and what each does to a draft: pure. v1's under v2's names: cgroup-v1/.

import { findFlat, parseNumber } from '../cgroup/stats.ts'
import { readIoStat } from '../cgroup/v1/blkio.ts'
import { readLegacy } from '../cgroup/v1/read.ts'
import type { Draft } from './raw-sample.ts'
import { asFlag, parseCpuMax, parseIoStat, parseLimit, parseStalls } from './text-formats.ts'

/** Takes in one file's text, or that it is gone. */
export type Take = (draft: Draft, text: string | undefined) => void

type Kept = 'memory' | 'memoryPeak' | 'pids' | 'swap' | 'cpuacct' | 'cpuacctUser' | 'cpuacctSystem'

const number =
  (key: Kept): Take =>
  (draft, text) => {
    draft[key] = parseNumber(text)
  }

const limit =
  (key: 'memoryMax' | 'memoryHigh' | 'swapMax' | 'pidsMax'): Take =>
  (draft, text) => {
    draft[key] = parseLimit(text)
  }

const pressure =
  (key: 'cpuPressure' | 'memoryPressure' | 'ioPressure'): Take =>
  (draft, text) => {
    draft[key] = parseStalls(text)
  }

/** Cheap files, one of which changes whenever a group is active. While none changes, the others are read rarely. */
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
    'memory.high': limit('memoryHigh'),
    'memory.peak': number('memoryPeak'),
    'memory.swap.current': number('swap'),
    'memory.swap.max': limit('swapMax'),
    'memory.events': (draft, text) => {
      draft.oomKills = findFlat(text, 'oom_kill')
      draft.memoryHighEvents = findFlat(text, 'high')
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
