// SPDX-License-Identifier: Apache-2.0
// A snapshot as metrics: pure. Names, units and labels are cAdvisor's where it counts the same; hutch_ where it has none.
import { nameContainer } from '../container-name.ts'
import type { GroupSample, Pressure, Snapshot } from '../sample.ts'

/** Everything of one name. */
export interface Family {
  /** Counters end in _total. */
  name: string
  kind: 'counter' | 'gauge'
  help: string
  points: Point[]
}

export interface Point {
  /** The same object for all points of a group that have no labels of their own. */
  labels: { readonly [name: string]: string }
  value: number
  /** When a counter of a group began at 0, in milliseconds since 1970. */
  start?: number | undefined
}

/** What is to be known besides the snapshot. */
export interface Circumstances {
  /** How long the look took. */
  tookMs: number
  machine: { cpus: number; memory: number }
  /** What a block device is called: `8:0` → `/dev/sda`. */
  nameOf?(device: string): string
  /** When a group was made, in milliseconds since 1970. */
  startOf?(path: string): number | undefined
}

type Values = [value: number | undefined, labels?: { device?: string; cpu?: string }][]
type Row = [name: string, kind: Family['kind'], help: string, values: (sample: GroupSample) => Values]

const seconds = (usec: number | undefined) => (usec === undefined ? undefined : usec / 1e6)
/** cAdvisor says 0 where there is no limit. */
const limit = (value: number | 'max' | undefined) => (value === 'max' ? 0 : value)
const one = (value: number | undefined): Values => [[value]]
const devices = ({ io }: GroupSample, key: 'readBytes' | 'writtenBytes' | 'reads' | 'writes'): Values =>
  Object.entries(io ?? {}).map(([device, figures]) => [figures[key], { device }])

/** A group without a quota has none, though the kernel gives zeros. */
const quota = ({ cpuMax, periods }: GroupSample, value: number | undefined): Values =>
  typeof cpuMax === 'number' || (periods ?? 0) > 0 ? [[value]] : []

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
  ['container_cpu_cfs_periods_total', 'counter', 'Elapsed quota periods.', (s) => quota(s, s.periods)],
  [
    'container_cpu_cfs_throttled_periods_total',
    'counter',
    'Quota periods in which tasks were throttled.',
    (s) => quota(s, s.throttledPeriods),
  ],
  [
    'container_cpu_cfs_throttled_seconds_total',
    'counter',
    'Time for which the quota throttled tasks.',
    (s) => quota(s, seconds(s.throttledUsec)),
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
  ['container_memory_usage_bytes', 'gauge', 'Memory in use, including file cache.', (s) => one(s.memory)],
  [
    'container_memory_working_set_bytes',
    'gauge',
    'Memory in use, without file cache that can be dropped at once.',
    (s) => one(s.workingSet),
  ],
  ['container_memory_max_usage_bytes', 'gauge', 'Peak memory use.', (s) => one(s.memoryPeak)],
  ['container_memory_rss', 'gauge', 'Anonymous memory in bytes.', (s) => one(s.anon)],
  ['container_memory_cache', 'gauge', 'File cache in bytes.', (s) => one(s.file)],
  ['container_memory_swap', 'gauge', 'Swap in use in bytes.', (s) => one(s.swap)],
  ['container_spec_memory_limit_bytes', 'gauge', 'Memory limit; 0 is none.', (s) => one(limit(s.memoryMax))],
  [
    'container_spec_memory_swap_limit_bytes',
    'gauge',
    'Swap limit; 0 means no limit or no swap.',
    (s) => one(limit(s.swapMax)),
  ],
  ['container_oom_events_total', 'counter', 'Processes killed by the OOM killer.', (s) => one(s.oomKills)],
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
    'Whether the tasks are frozen.',
    (s) => one(s.frozen === undefined ? undefined : Number(s.frozen)),
  ],
  [
    'hutch_populated',
    'gauge',
    'Whether it or a descendant has processes.',
    (s) => one(s.populated === undefined ? undefined : Number(s.populated)),
  ],
]

/** All metrics of all groups. A figure that is unknown has no point. */
export function makeMetrics(snapshot: Snapshot, circumstances: Circumstances): Family[] {
  const { tookMs, machine, nameOf = (device) => device, startOf = () => undefined } = circumstances
  const groups = labelGroups(snapshot).map(([id, labels, sample]) => ({ labels, sample, start: startOf(id) }))
  const families = rows.map(([name, kind, help, values]): Family => {
    const points: Point[] = []
    for (const { labels: own, sample, start } of groups)
      for (const [value, more] of values(sample)) {
        if (value === undefined) continue
        const device = more?.device === undefined ? more : { device: nameOf(more.device) }
        points.push({ labels: device ? { ...own, ...device } : own, value, ...(kind === 'counter' && { start }) })
      }
    return { name, kind, help, points }
  })
  const gauge = (name: string, help: string, points: Point[]): Family => ({ name, kind: 'gauge', help, points })
  const alone = (value: number): Point[] => [{ labels: {}, value }]
  const seen = Math.floor(snapshot.time / 1000)
  return [
    ...families,
    gauge(
      'container_last_seen',
      'Time of the sample, in seconds since 1970.',
      groups.map(({ labels }) => ({ labels, value: seen })),
    ),
    gauge(
      'container_start_time_seconds',
      'Creation time, in seconds since 1970.',
      groups.flatMap(({ labels, start }) => (start === undefined ? [] : [{ labels, value: Math.floor(start) / 1000 }])),
    ),
    gauge('machine_cpu_cores', 'Processors of the machine.', alone(machine.cpus)),
    gauge('machine_memory_bytes', 'Memory of the machine.', alone(machine.memory)),
    gauge('hutch_groups', 'Number of control groups.', alone(snapshot.groups.size)),
    gauge(
      'hutch_look_seconds',
      'Duration of the sample of all groups, in seconds.',
      alone(Math.round(tookMs * 1000) / 1e6),
    ),
  ].filter(({ points }) => points.length > 0)
}

/** A container's group has the label `name`; groups inside it do not, so a sum over all names counts nothing twice. */
function labelGroups({ groups }: Snapshot): [id: string, labels: Point['labels'], sample: GroupSample][] {
  const inContainer = new Set<string>()
  return [...groups].map(([id, sample]) => {
    const inside = inContainer.has(id.slice(0, id.lastIndexOf('/')))
    const name = inside ? undefined : nameContainer(id)
    if (inside || name !== undefined) inContainer.add(id)
    return [id, name === undefined ? { id } : { id, name }, sample]
  })
}

/**
 * The root has no figures of its own on v2: those of the machine, as cAdvisor has them, by the text of /proc/meminfo.
 * Its limit is the machine's memory.
 */
export function addMachine(snapshot: Snapshot, meminfo: string | undefined): Snapshot {
  const root = snapshot.groups.get('/')
  const read = (name: string) => {
    const [, kilobytes] = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo ?? '') ?? []
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  }
  const [total, free, inactive] = [read('MemTotal'), read('MemFree'), read('Inactive\\(file\\)')]
  if (!root || total === undefined || free === undefined || inactive === undefined) return snapshot
  const memory = root.memory ?? total - free
  const workingSet = root.workingSet ?? Math.max(0, memory - inactive)
  const groups = new Map(snapshot.groups).set('/', { ...root, memory, workingSet, memoryMax: total })
  return { ...snapshot, groups }
}
