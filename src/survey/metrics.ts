// SPDX-License-Identifier: Apache-2.0
// A snapshot as metrics: pure. Names, units and labels are cAdvisor's where it counts the same; hutch_ where it has none.
import type { GroupSample, Pressure, Snapshot } from './sample.ts'

/** Everything of one name. */
export interface Family {
  /** Counters end in _total. */
  name: string
  kind: 'counter' | 'gauge'
  help: string
  points: Point[]
}

export interface Point {
  labels: { [name: string]: string }
  value: number
}

type Values = [value: number | undefined, labels?: { [name: string]: string }][]
type Row = [name: string, kind: Family['kind'], help: string, values: (sample: GroupSample) => Values]

const seconds = (usec: number | undefined) => (usec === undefined ? undefined : usec / 1e6)
/** cAdvisor says 0 where there is no limit. */
const limit = (value: number | 'max' | undefined) => (value === 'max' ? 0 : value)
const one = (value: number | undefined): Values => [[value]]
const devices = ({ io }: GroupSample, key: 'readBytes' | 'writtenBytes' | 'reads' | 'writes'): Values =>
  Object.entries(io ?? {}).map(([device, figures]) => [figures[key], { device }])

/** The quota's period that the figures are for, whatever the group has: what counts is their ratio. */
const periodUsec = 100_000

const stalls = (resource: string, of: (sample: GroupSample) => Pressure | undefined): Row[] => [
  [
    `container_pressure_${resource}_waiting_seconds_total`,
    'counter',
    `Time in which at least one task waited for ${resource}.`,
    (sample) => one(seconds(of(sample)?.some.totalUsec)),
  ],
  [
    `container_pressure_${resource}_stalled_seconds_total`,
    'counter',
    `Time in which all tasks waited for ${resource}.`,
    (sample) => one(seconds(of(sample)?.full?.totalUsec)),
  ],
]

const rows: Row[] = [
  [
    'container_cpu_usage_seconds_total',
    'counter',
    'CPU time used.',
    ({ cpuUsec }) => [[seconds(cpuUsec), { cpu: 'total' }]],
  ],
  ['container_cpu_user_seconds_total', 'counter', 'CPU time in user mode.', (s) => one(seconds(s.userUsec))],
  ['container_cpu_system_seconds_total', 'counter', 'CPU time in the kernel.', (s) => one(seconds(s.systemUsec))],
  ['container_cpu_cfs_periods_total', 'counter', 'Quota periods that went by.', (s) => one(s.periods)],
  [
    'container_cpu_cfs_throttled_periods_total',
    'counter',
    'Quota periods in which tasks were stopped.',
    (s) => one(s.throttledPeriods),
  ],
  [
    'container_cpu_cfs_throttled_seconds_total',
    'counter',
    'Time for which tasks were stopped by the quota.',
    (s) => one(seconds(s.throttledUsec)),
  ],
  [
    'container_spec_cpu_quota',
    'gauge',
    'CPU time in microseconds that may be used in container_spec_cpu_period; absent without a limit.',
    ({ cpuMax }) => one(typeof cpuMax === 'number' ? Math.round(cpuMax * periodUsec) : undefined),
  ],
  [
    'container_spec_cpu_period',
    'gauge',
    'Microseconds that container_spec_cpu_quota is for.',
    ({ cpuMax }) => one(typeof cpuMax === 'number' ? periodUsec : undefined),
  ],
  ['container_memory_usage_bytes', 'gauge', 'Memory in use, file cache counted.', (s) => one(s.memory)],
  [
    'container_memory_working_set_bytes',
    'gauge',
    'Memory in use, less file cache that can be dropped at once.',
    (s) => one(s.workingSet),
  ],
  ['container_memory_max_usage_bytes', 'gauge', 'Most memory in use at once.', (s) => one(s.memoryPeak)],
  ['container_memory_rss', 'gauge', 'Anonymous memory in bytes.', (s) => one(s.anon)],
  ['container_memory_cache', 'gauge', 'File cache in bytes.', (s) => one(s.file)],
  ['container_memory_swap', 'gauge', 'Swap in use in bytes.', (s) => one(s.swap)],
  ['container_spec_memory_limit_bytes', 'gauge', 'Memory limit; 0 is none.', (s) => one(limit(s.memoryMax))],
  [
    'container_spec_memory_swap_limit_bytes',
    'gauge',
    'Swap limit; 0 is none or no swap.',
    (s) => one(limit(s.swapMax)),
  ],
  ['container_oom_events_total', 'counter', 'Processes killed for want of memory.', (s) => one(s.oomKills)],
  ['container_threads', 'gauge', 'Tasks, threads counted.', (s) => one(s.pids)],
  ['container_threads_max', 'gauge', 'Most tasks allowed; 0 is no limit.', (s) => one(limit(s.pidsMax))],
  ['container_fs_reads_bytes_total', 'counter', 'Bytes read from block devices.', (s) => devices(s, 'readBytes')],
  ['container_fs_writes_bytes_total', 'counter', 'Bytes written to block devices.', (s) => devices(s, 'writtenBytes')],
  ['container_fs_reads_total', 'counter', 'Reads from block devices.', (s) => devices(s, 'reads')],
  ['container_fs_writes_total', 'counter', 'Writes to block devices.', (s) => devices(s, 'writes')],
  ...stalls('cpu', (s) => s.cpuPressure),
  ...stalls('memory', (s) => s.memoryPressure),
  ...stalls('io', (s) => s.ioPressure),
  [
    'hutch_frozen',
    'gauge',
    'Whether the tasks are stopped by the freezer.',
    (s) => one(s.frozen === undefined ? undefined : Number(s.frozen)),
  ],
  [
    'hutch_populated',
    'gauge',
    'Whether there are processes in or below it.',
    (s) => one(s.populated === undefined ? undefined : Number(s.populated)),
  ],
]

/**
 * All metrics of all groups; `tookMs` is how long the look took. A figure that is unknown has no point.
 * `nameOf` tells what a block device is called: `8:0` → `/dev/sda`.
 */
export function makeMetrics(snapshot: Snapshot, tookMs: number, nameOf = (device: string) => device): Family[] {
  const named = (labels: Point['labels'] | undefined) =>
    labels?.device === undefined ? labels : { device: nameOf(labels.device) }
  const families = rows.map(([name, kind, help, values]): Family => {
    const points: Point[] = []
    for (const [id, sample] of snapshot.groups)
      for (const [value, labels] of values(sample))
        if (value !== undefined) points.push({ labels: { id, ...named(labels) }, value })
    return { name, kind, help, points }
  })
  const own = (name: string, help: string, value: number): Family => ({
    name,
    kind: 'gauge',
    help,
    points: [{ labels: {}, value }],
  })
  return [
    ...families.filter(({ points }) => points.length > 0),
    own('hutch_groups', 'Control groups there are.', snapshot.groups.size),
    own('hutch_look_seconds', 'How long the look at all of them took.', tookMs / 1000),
  ]
}
